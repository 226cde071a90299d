import pytest
from django.test import Client

from activity.dial import WORDS
from routing.models import AutoRouterSettings
from tests.factories import make_model, make_user

PAGE = "/settings/plugins/auto-router"
PREVIEW = f"{PAGE}/preview"

QUERIES_OF_PAGE = 4


@pytest.fixture
def pool(db):
    make_model(
        "anthropic/claude-haiku-4.5",
        canonical_slug="anthropic/claude-4.5-haiku-20251001",
        alias="anthropic/Haiku-Latest",
    )
    make_model("anthropic/claude-opus-4.6")
    make_model("openai/gpt-5")
    make_model("meta/not-in-the-pool", in_auto_pool=False)
    make_model("meta/switched-off", enabled=False)


def values(**changes):
    defaults = {
        "enabled": "on",
        "allowed_models": "anthropic/*",
        "excluded_models": "",
        "cost_quality_tradeoff": "3",
        "version": "",
    }
    return {**defaults, **changes}


def save(browser, **changes):
    return browser.post(PAGE, values(**changes))


def test_saves_what_is_typed(browser, user):
    response = save(
        browser,
        allowed_models=" anthropic/*,openai/gpt-5\r\n\r\nanthropic/* ",
        excluded_models="*/*-pro",
        cost_quality_tradeoff="10",
        prevent_overrides="on",
    )

    row = AutoRouterSettings.objects.get()
    assert response.url == PAGE
    assert row.user == user
    assert row.allowed_models == ["anthropic/*", "openai/gpt-5"]
    assert row.excluded_models == ["*/*-pro"]
    assert (row.enabled, row.cost_quality_tradeoff, row.prevent_overrides) == (True, 10, True)


def test_shows_what_is_saved(browser):
    save(browser, enabled="", allowed_models="a/*\nb/*")

    page = browser.get(PAGE).content.decode()

    assert "a/*\nb/*</textarea>" in page
    assert 'value="3"' in page
    assert WORDS[3] in page
    assert "Last changed" in page
    assert "checked" not in page


def test_nothing_is_saved_by_looking(browser):
    page = browser.get(PAGE).content.decode()

    assert 'value="7"' in page
    assert "Not changed yet" in page
    assert not AutoRouterSettings.objects.exists()


def test_settings_of_others_are_neither_shown_nor_changed(browser):
    other = AutoRouterSettings.objects.create(user=make_user(), allowed_models=["theirs/*"])

    assert "theirs/*" not in browser.get(PAGE).content.decode()
    save(browser, version=other.updated_at.isoformat())
    other.refresh_from_db()
    assert other.allowed_models == ["theirs/*"]


@pytest.mark.parametrize("tradeoff", ["0", "1", "9", "10"])
def test_the_dial_goes_from_0_to_10(browser, tradeoff):
    save(browser, cost_quality_tradeoff=tradeoff)

    assert AutoRouterSettings.objects.get().cost_quality_tradeoff == int(tradeoff)


@pytest.mark.parametrize(
    "tradeoff",
    ["11", "7.5", "", "\u0667", "1_0", " 7 ", "-1", "+7", "07", "1e1", "7\n", "seven", "10\x00"],
)
def test_anything_else_is_refused_in_words(browser, tradeoff):
    response = save(browser, cost_quality_tradeoff=tradeoff)

    assert response.status_code == 200
    assert response.context["form"].has_error("cost_quality_tradeoff")
    assert 'role="alert"' in response.content.decode()
    assert not AutoRouterSettings.objects.exists()


@pytest.mark.parametrize(
    "patterns", ["anthropic / *", "a\x00b", "a\x07b", "x" * 1025, "\n".join(map(str, range(1025)))]
)
@pytest.mark.parametrize("field", ["allowed_models", "excluded_models"])
def test_patterns_that_cannot_be_used_are_refused(browser, field, patterns):
    response = save(browser, **{field: patterns})

    assert response.context["form"].has_error(field)
    assert not AutoRouterSettings.objects.exists()


def test_a_slower_tab_is_warned_and_may_save_again(browser):
    save(browser, cost_quality_tradeoff="1")
    seen = browser.get(PAGE).context["version"]
    save(browser, version=seen, cost_quality_tradeoff="2")

    slower = save(browser, version=seen, cost_quality_tradeoff="9")

    assert slower.status_code == 409
    assert "changed elsewhere" in slower.content.decode()
    assert AutoRouterSettings.objects.get().cost_quality_tradeoff == 2
    save(browser, version=slower.context["version"], cost_quality_tradeoff="9")
    assert AutoRouterSettings.objects.get().cost_quality_tradeoff == 9


@pytest.mark.parametrize("tradeoff", ["1", "2"])
def test_a_form_sent_twice_is_no_conflict(browser, tradeoff):
    save(browser, cost_quality_tradeoff="1")
    seen = browser.get(PAGE).context["version"]
    form = {"version": seen, "cost_quality_tradeoff": tradeoff}
    save(browser, **form)

    assert save(browser, **form).url == PAGE


def test_the_first_form_sent_twice_is_no_conflict(browser):
    assert [save(browser).url, save(browser).url] == [PAGE, PAGE]


def test_who_was_signed_out_meanwhile_is_told_that_nothing_changed(client, db):
    page = client.post(PAGE, values(), follow=True).content.decode()

    assert "You were signed out, so nothing was changed" in page
    assert "Sign in" in page


@pytest.mark.parametrize("version", ["", "nonsense", "2026-13-99T00:00:00", "2026-01-01T00:00:00"])
def test_a_version_that_is_not_the_row_saves_nothing(browser, version):
    save(browser, cost_quality_tradeoff="1")

    assert save(browser, version=version, cost_quality_tradeoff="2").status_code == 409
    assert AutoRouterSettings.objects.get().cost_quality_tradeoff == 1


@pytest.mark.parametrize(
    ("allowed", "excluded", "count"),
    [
        ("", "", "<strong>3</strong> of 3"),
        ("anthropic/*", "", "<strong>2</strong> of 3"),
        ("ANTHROPIC/*", "*opus*", "<strong>1</strong> of 3"),
        ("anthropic/claude-4.5-haiku-20251001", "", "<strong>1</strong> of 3"),
        ("anthropic/HAIKU-latest", "", "<strong>1</strong> of 3"),
        ("", "*-latest", "<strong>2</strong> of 3"),
        ("nobody/*", "", "<strong>0</strong> of 3"),
        ("", "*", "<strong>0</strong> of 3"),
        ("meta/*,openai/*", "", "<strong>1</strong> of 3"),
    ],
)
def test_preview_counts_what_the_patterns_leave(browser, pool, allowed, excluded, count):
    sent = {"allowed_models": allowed, "excluded_models": excluded}

    live = browser.post(PREVIEW, sent).content.decode()
    whole = browser.post(PAGE, values(**sent, preview="1")).content.decode()

    assert count in live
    assert count in whole
    assert not AutoRouterSettings.objects.exists()


def test_preview_warns_of_idle_patterns_and_of_an_empty_pool(browser, pool):
    sent = {"allowed_models": "nobody/*", "excluded_models": "no-one/*"}

    page = browser.post(PREVIEW, sent).content.decode()

    assert "Allowed pattern <code>nobody/*</code> matches nothing" in page
    assert "Excluded pattern <code>no-one/*</code> matches nothing" in page
    assert "No model is left" in page


@pytest.mark.parametrize("patterns", ["a b", "\x00", "x" * 1025, "<script>alert(1) </script>"])
def test_preview_says_what_is_wrong_with_a_pattern(browser, pool, patterns):
    response = browser.post(PREVIEW, {"allowed_models": patterns})

    assert response.status_code == 200
    assert b"errorlist" in response.content
    assert b"<script>alert" not in response.content


def test_preview_tells_a_stranger_nothing_but_that_they_are_signed_out(client, pool):
    response = client.post(PREVIEW, {"allowed_models": "*"})

    assert response.status_code == 401
    assert "You were signed out" in response.content.decode()
    assert "claude" not in response.content.decode()


def test_plugins_lists_the_auto_router_with_its_state(browser):
    save(browser, enabled="")

    page = browser.get("/settings/plugins").content.decode()

    assert f'href="{PAGE}"' in page
    assert "Off" in page


def test_the_page_has_a_bound_on_its_queries(browser, pool, django_assert_num_queries):
    with django_assert_num_queries(QUERIES_OF_PAGE):
        browser.get(PAGE)


@pytest.mark.parametrize("path", [PAGE, "/settings/plugins", "/settings"])
def test_signed_out_is_sent_to_sign_in(client, path):
    assert client.get(path).url.startswith("/sign-in?next=")


@pytest.mark.parametrize("path", [PAGE, PREVIEW])
def test_forms_need_a_csrf_token(user, path):
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)

    assert client.post(path, values()).status_code == 403
    assert not AutoRouterSettings.objects.exists()
