from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from activity.filters import MAX_REFUSED
from activity.models import Rejection
from activity.paging import PAGE_SIZE
from tests.factories import DECISION, make_attempt, make_generation, make_key, make_user

# Session, user, and what the page itself reads.
QUERIES_OF_LIST = 7
QUERIES_OF_DETAIL = 6


def test_a_request_is_on_the_page_with_its_tokens_and_cost(browser, user):
    make_generation(user, app="Open WebUI", first_token_ms=312)

    page = browser.get("/activity").content.decode()

    assert "anthropic/claude-haiku-4.5" in page
    assert "openrouter/auto" in page
    assert "$0.000320" in page
    assert "Open WebUI" in page
    assert "312 ms" in page


def test_home_leads_to_activity(browser):
    assert browser.get("/").url == "/activity"


@pytest.mark.parametrize("path", ["/activity", "/activity/export.csv", "/activity/gen-1"])
def test_signed_out_is_sent_to_sign_in(client, path):
    response = client.get(path)

    assert response.status_code == 302
    assert response.url.startswith("/sign-in?next=")


@pytest.mark.parametrize("path", ["/activity", "/activity/export.csv", "/activity/gen-1"])
def test_pages_only_read(browser, path):
    assert browser.post(path).status_code == 405


def test_rows_of_others_are_not_listed_even_for_a_superuser(db, client):
    make_generation(routed_model="secret/model")
    client.force_login(make_user(is_superuser=True, is_staff=True))

    page = client.get("/activity?period=all").content.decode()

    assert "secret/model" not in page
    assert "No request yet" in page


def test_a_generation_of_another_is_not_found(browser):
    other = make_generation()

    assert browser.get(f"/activity/{other.pk}").status_code == 404


@pytest.mark.parametrize("odd", ["%00", "gen-1%00", "%ED%A0%80", "1" + "0" * 30, "x" * 9000])
def test_an_id_that_cannot_be_is_not_found(browser, odd):
    assert browser.get(f"/activity/{odd}").status_code == 404


def test_refused_requests_of_others_are_not_shown(browser, user):
    make_generation(user)
    today = timezone.now().date()
    Rejection.objects.create(
        day=today, key_id=1, user_id=user.pk, code=403, error_type="key_limit", count=1200
    )
    Rejection.objects.create(
        day=today, key_id=2, user_id=user.pk + 1, code=401, error_type="someone_elses", count=9
    )

    page = browser.get("/activity").content.decode()

    assert "key_limit" in page
    assert "1,200" in page
    assert "someone_elses" not in page


def test_a_key_whose_every_request_was_refused_has_its_name(browser, user):
    make_generation(user)
    key = make_key(user, name="zero")
    day = timezone.now().date()
    Rejection.objects.create(day=day, key_id=key.pk, user_id=user.pk, code=403, count=1)

    page = browser.get("/activity").content.decode()

    assert 'title="zero">zero</span>' in page
    assert f'<option value="{key.pk}">zero</option>' in page


@pytest.mark.parametrize(
    ("days", "codes", "said"),
    [
        (1, ["bad_request"], "1 reason)"),
        (3, ["bad_request", "key_limit"], "2 reasons)"),
        (MAX_REFUSED, ["bad_request", "key_limit"], "2 reasons; the newest 50 lines)"),
    ],
)
def test_refused_requests_count_their_reasons(browser, user, days, codes, said):
    today = timezone.now().date()
    Rejection.objects.bulk_create(
        Rejection(
            day=today - timedelta(days=day), key_id=1, user_id=user.pk, code=400, error_type=code
        )
        for day in range(days)
        for code in codes
    )

    page = browser.get("/activity?period=all").content.decode()

    assert f">({said}<" in page


def test_keys_of_one_name_are_told_apart_by_their_ends(browser, user):
    one, two, other = (make_key(user, name=name) for name in ("CI", "CI", "Laptop"))
    make_generation(user, key_id=other.pk + 1, key_name="CI")

    page = browser.get("/activity").content.decode()

    assert f'<option value="{one.pk}">CI ({one.label})</option>' in page
    assert f'<option value="{two.pk}">CI ({two.label})</option>' in page
    assert f'<option value="{other.pk}">Laptop</option>' in page
    assert f'<option value="{other.pk + 1}">CI (deleted, number {other.pk + 1})</option>' in page


@pytest.mark.parametrize("rows", [1, PAGE_SIZE + 5])
def test_the_list_needs_the_same_queries_whatever_it_holds(
    browser, user, rows, django_assert_num_queries
):
    [make_generation(user) for _ in range(rows)]

    with django_assert_num_queries(QUERIES_OF_LIST):
        browser.get("/activity")


def test_the_detail_has_a_bound_on_its_queries(browser, user, django_assert_num_queries):
    row = make_generation(user, decision=DECISION)
    make_attempt(row)

    with django_assert_num_queries(QUERIES_OF_DETAIL):
        browser.get(f"/activity/{row.pk}")


def test_totals_are_of_the_filtered_set(browser, user):
    make_generation(user, cost=Decimal("1.5"), prompt_tokens=100, completion_tokens=20)
    make_generation(user, cost=Decimal("0.25"), status="failed", prompt_tokens=5)
    make_generation(user, provider="OpenAI", cost=Decimal(9))

    context = browser.get("/activity?provider=Anthropic").context

    assert context["totals"]["spend"] == Decimal("1.75")
    assert context["totals"]["requests"] == 2
    assert context["totals"]["tokens"] == 165
    assert context["totals"]["error_rate"] == "50.0%"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status=failed", ["failed"]),
        ("model=*/GPT-5*", ["gpt"]),
        ("model=openrouter/*", ["failed", "gpt"]),
        ("model=openai/gpt_5", []),
        ("provider=OpenAI", ["gpt"]),
        ("key=7", ["gpt"]),
        ("q=zed", ["gpt"]),
        ("q=customer-9", ["failed"]),
        ("status=completed&provider=OpenAI&model=openai/*&key=7", ["gpt"]),
        ("period=1h", ["failed"]),
        ("period=7d", ["failed", "gpt"]),
    ],
)
def test_filters_select(browser, user, query, found):
    rows = {
        "failed": make_generation(user, status="failed", end_user="customer-9"),
        "gpt": make_generation(
            user,
            routed_model="openai/gpt-5",
            provider="OpenAI",
            key_id=7,
            app="Zed",
            created_at=timezone.now() - timedelta(hours=2),
        ),
    }

    page = browser.get(f"/activity?{query}").context["page"]

    assert page.rows == [rows[name] for name in found]


def test_search_finds_a_generation_by_its_id(browser, user):
    wanted, _ = make_generation(user), make_generation(user)

    assert browser.get(f"/activity?q={wanted.pk}").context["page"].rows == [wanted]


def test_filters_come_back_in_the_form_and_in_every_link(browser, user):
    make_generation(user)
    query = "period=30d&status=completed&model=anthropic%2F%2A&provider=Anthropic&key=1&q="

    page = browser.get(f"/activity?{query}").content.decode()

    assert 'value="anthropic/*"' in page
    assert '<option value="completed" selected>' in page
    assert '<option value="Anthropic" selected>' in page
    assert '<option value="1" selected>Laptop</option>' in page
    assert f'href="/activity/export.csv?{query.replace("&", "&amp;")}"' in page


@pytest.mark.parametrize(
    "query",
    [
        "status=nonsense",
        "period=century",
        "key=abc",
        "key=0",
        "key=99999999999999999999999",
        "model=a%00b",
        "model=a b",
        "q=%00",
        "provider=%00",
        "model=" + "x" * 201,
    ],
)
def test_an_invalid_filter_is_reported_and_does_not_apply(browser, user, query):
    row = make_generation(user)

    response = browser.get(f"/activity?{query}")

    assert response.status_code == 200
    assert 'role="alert"' in response.content.decode()
    assert response.context["page"].rows == [row]


def test_the_first_visit_says_how_to_begin(browser):
    page = browser.get("/activity", headers={"host": "127.0.0.1:8123"}).content.decode()

    assert "/settings/keys/new" in page
    assert "curl http://127.0.0.1:8123/api/v1/chat/completions" in page
    assert "export AUTOROUTER_KEY=sk-ar-" in page
    assert "Bearer $AUTOROUTER_KEY" in page


def test_an_empty_result_offers_to_clear_the_filters(browser, user):
    make_generation(user)

    page = browser.get("/activity?model=nobody/*").content.decode()

    assert "No request matches" in page
    assert "Clear filters" in page


def test_detail_says_why_this_model(browser, user):
    row = make_generation(user, decision=DECISION)

    page = browser.get(f"/activity/{row.pk}").content.decode()

    assert "saves cost, keeps strong quality" in page
    assert "from your settings" in page
    assert "set by the request" in page
    assert '81% <span class="soft">(74\u201387)</span>' in page
    assert "$0.001230" in page
    assert "No better and no cheaper" in page
    assert "Outside the allowed patterns" in page
    assert "its remembered model anthropic/claude-haiku-4.5 was called again" in page


@pytest.mark.parametrize(
    "decision",
    [
        {},
        {"strategy": "direct"},
        {"strategy": "direct", "tradeoff": None, "candidates": None, "analysis": {}},
        {"candidates": ["a line of old"], "out": [{}], "sticky": {"kind": "none", "state": "none"}},
    ],
)
def test_detail_shows_what_there_is_of_a_decision(browser, user, decision):
    row = make_generation(user, decision=decision)

    assert browser.get(f"/activity/{row.pk}").status_code == 200


@pytest.mark.parametrize(("strategy", "said"), [("auto", 1), ("direct", 0), ("fallback", 0)])
def test_detail_names_the_pool_only_where_one_was_chosen_from(browser, user, strategy, said):
    rules = {"tradeoff": {"value": 7}, "allowed": {"patterns": []}, "excluded": {"patterns": []}}
    row = make_generation(user, decision={"strategy": strategy} | (rules if said else {}))

    page = browser.get(f"/activity/{row.pk}").content.decode()

    assert page.count("every model of the pool") == said
    assert page.count("<dt>Excluded</dt>") == said


def test_detail_says_which_endpoints_were_skipped(browser, user):
    until = "2026-11-22T10:15:30+00:00"
    skipped = {"model": "a/one", "provider": "X", "until": until, "after": "HTTP 503"}
    row = make_generation(user, decision=DECISION | {"skipped": [skipped], "last_resort": True})

    page = browser.get(f"/activity/{row.id}").content.decode()

    assert "a/one at X: cooling down until 10:15:30 UTC, after HTTP 503." in page
    assert "the one that is back first was called" in page


def test_detail_shows_the_arithmetic_of_the_cost(browser, user):
    row = make_generation(
        user,
        cost=Decimal("0.0000375"),
        cost_lines=[
            {"class": "prompt", "quantity": 10, "price": "0.00000125", "cost": "0.0000125"},
            {"class": "completion", "quantity": 5, "price": "0.000005", "cost": "0.000025"},
        ],
        prices={"prompt": "0.00000125", "completion": "0.000005", "long_context_over": 200000},
    )

    page = browser.get(f"/activity/{row.pk}").content.decode()

    assert "$1.25" in page
    assert "$0.0000125" in page
    assert "$0.0000375" in page
    assert "which is not this sum" not in page


def test_detail_lists_the_attempts(browser, user):
    row = make_generation(user)
    make_attempt(row, provider="Azure", status="failed", http_status=503, error_type="overloaded")
    make_attempt(row, number=2)

    page = browser.get(f"/activity/{row.pk}").content.decode()

    assert "Azure" in page
    assert "overloaded" in page
    assert "Prompts and answers are not stored" in page


@pytest.mark.parametrize(
    ("code", "error_type", "said"),
    [
        (502, "provider_unavailable", "The provider failed or sent no usable answer."),
        (504, "timeout", "The provider, or the upload of the request, took too long."),
        (None, "client_left", "Your program hung up before the answer was complete."),
        (None, "interrupted", "This server stopped or lost its connections while it answered."),
        (418, "of_another_time", "of_another_time"),
    ],
)
def test_an_error_is_told_in_words(browser, user, code, error_type, said):
    row = make_generation(user, status="failed", error_code=code, error_type=error_type)

    page = browser.get(f"/activity/{row.pk}").content.decode()

    assert error_type in page
    assert said in page


def test_a_refusal_is_told_in_words(browser, user):
    make_generation(user)
    Rejection.objects.create(
        day=timezone.now().date(),
        key_id=1,
        user_id=user.pk,
        code=402,
        error_type="payment_required",
        count=1,
    )

    page = browser.get("/activity").content.decode()

    assert "The credit granted is spent, or held by requests under way." in page


def test_detail_leads_to_its_own_neighbours_only(browser, user):
    moment = timezone.now()
    older, row, newer = (
        make_generation(user, created_at=moment + timedelta(seconds=at)) for at in range(3)
    )
    make_generation(created_at=moment + timedelta(seconds=1))

    context = browser.get(f"/activity/{row.pk}").context

    assert (context["older"], context["newer"]) == (older, newer)


def test_what_users_typed_is_escaped(browser, user):
    row = make_generation(user, app="<script>alert(1)</script>", key_name="<b>key</b>")

    pages = [browser.get(path).content for path in ("/activity", f"/activity/{row.pk}")]

    assert all(b"<script>alert" not in page and b"<b>key" not in page for page in pages)
