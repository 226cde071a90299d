import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.sessions.models import Session
from django.core import serializers
from django.test import Client
from django.utils import timezone

from activity.models import Spend
from activity.paging import PAGE_SIZE
from routing.credentials import MAX_KEYS, digest
from routing.models import ApiKey
from tests.factories import make_key, make_user

KEYS = "/settings/keys"
NEW = f"{KEYS}/new"
SECRET = re.compile(r"sk-ar-v1-[0-9A-Za-z]{61}")

# Session, user, keys, spending.
QUERIES_OF_LIST = 4


def make_keys(user, count):
    """Keys of a user at one moment, as a program that makes them would, beyond any cap."""
    created_at = timezone.now()
    return ApiKey.objects.bulk_create(
        ApiKey(user=user, name=f"n{n}", digest=f"{user.pk}-{n}", created_at=created_at)
        for n in range(count)
    )


def listed(response):
    return [use.key for use in response.context["uses"]]


def create(browser, **changes):
    token = browser.get(NEW).context["form_token"]
    return browser.post(NEW, {"name": "Laptop", "form_token": token, **changes})


def test_a_key_is_shown_once_with_requests_to_copy(browser, user):
    response = create(browser)

    page = response.content.decode()
    (secret,) = set(SECRET.findall(page))
    assert ApiKey.objects.get(user=user).digest == digest(secret)
    assert "no-store" in response["Cache-Control"]
    assert "curl http://testserver/api/v1/chat/completions" in page
    assert "base_url=&quot;" not in page
    assert 'base_url="http://testserver/api/v1"' in page


def test_a_key_is_nowhere_afterwards(browser):
    (secret,) = set(SECRET.findall(create(browser).content.decode()))

    pages = [browser.get(path).content.decode() for path in (KEYS, NEW, "/activity")]
    stored = serializers.serialize("json", ApiKey.objects.all())
    sessions = json.dumps([row.get_decoded() for row in Session.objects.all()])

    assert secret not in "".join([*pages, stored, sessions])


def test_a_form_sent_twice_makes_one_key(browser):
    token = browser.get(NEW).context["form_token"]
    fields = {"name": "Laptop", "form_token": token}
    browser.post(NEW, fields)

    again = browser.post(NEW, fields, follow=True)

    assert ApiKey.objects.count() == 1
    assert "no second key was made" in again.content.decode()
    assert not SECRET.search(again.content.decode())


@pytest.mark.parametrize("token", ["", "forged", "\x00"])
def test_a_form_without_its_token_makes_no_key(browser, token):
    browser.get(NEW)

    browser.post(NEW, {"name": "Laptop", "form_token": token})

    assert not ApiKey.objects.exists()


def test_a_key_has_limit_reset_and_expiry(browser):
    day = (timezone.now() + timedelta(days=30)).date()

    create(browser, limit="12.5", limit_reset="weekly", expires_on=day.isoformat())

    key = ApiKey.objects.get()
    assert (key.limit, key.limit_reset) == (Decimal("12.5"), "weekly")
    assert key.expires_at == datetime(day.year, day.month, day.day, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "   "),
        ("name", "x" * 101),
        ("name", "a\x00b"),
        ("name", "\u202egnp.exe"),
        ("limit", "-1"),
        ("limit", "NaN"),
        ("limit", "Infinity"),
        ("limit", "1e30"),
        ("limit", "ten"),
        ("limit_reset", "daily"),
        ("limit_reset", "hourly"),
        ("expires_on", "2020-01-01"),
        ("expires_on", "tomorrow"),
        ("expires_on", "2026-02-30"),
    ],
)
def test_what_cannot_be_is_refused_beside_its_field(browser, field, value):
    response = create(browser, **{field: value})

    assert response.status_code == 200
    assert response.context["form"].has_error(field)
    assert not ApiKey.objects.exists()


def test_a_refused_form_can_be_corrected_and_sent(browser):
    refused = create(browser, name="")

    browser.post(NEW, {"name": "Laptop", "form_token": refused.context["form_token"]})

    assert ApiKey.objects.get().name == "Laptop"


def test_the_list_shows_spending_of_the_current_period(browser, user):
    key = make_key(user, name="Notebook", limit=Decimal(25), limit_reset="monthly")
    month = f"{timezone.now():%Y-%m}"
    Spend.objects.create(owner=f"key:{key.pk}", period=month, spent=Decimal("9.41"))
    Spend.objects.create(owner=f"key:{key.pk}", period="total", spent=Decimal("29.41"))
    Spend.objects.create(owner=f"key:{key.pk}", period="2020-01", spent=Decimal(20))

    (use,) = browser.get(KEYS).context["uses"]

    assert (use.spent, use.period, use.state) == (Decimal("9.41"), "this month", "active")
    assert use.last_used is not None


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "active"),
        ({"disabled": True}, "disabled"),
        ({"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}, "expired"),
        ({"limit": Decimal(5)}, "exhausted"),
        ({"limit": Decimal(6)}, "active"),
    ],
)
def test_the_list_names_the_state_of_a_key(browser, user, fields, state):
    key = make_key(user, **fields)
    Spend.objects.create(owner=f"key:{key.pk}", period="total", spent=Decimal(5))

    (use,) = browser.get(KEYS).context["uses"]

    assert use.state == state
    assert state.capitalize() in browser.get(KEYS).content.decode()


@pytest.mark.parametrize("count", [1, 12])
def test_the_list_needs_the_same_queries_whatever_it_holds(
    browser, user, count, django_assert_num_queries
):
    [make_key(user) for _ in range(count)]

    with django_assert_num_queries(QUERIES_OF_LIST):
        browser.get(KEYS)


def test_the_list_has_pages(browser, user):
    keys = make_keys(user, PAGE_SIZE + 3)

    first = browser.get(KEYS)
    second = browser.get(f"{KEYS}?{first.context['older']}")
    back = browser.get(f"{KEYS}?{second.context['newer']}")

    assert listed(first) == listed(back) == keys[:2:-1]
    assert listed(second) == keys[2::-1]
    assert (first.context["newer"], second.context["older"]) == ("", "")


@pytest.mark.parametrize("cursor", ["x", "1", "0.x", "9" * 40 + ".1", "1." + "9" * 9000])
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_broken_cursor_leads_to_the_newest_keys(browser, user, side, cursor):
    key = make_key(user)

    assert listed(browser.get(f"{KEYS}?{side}={cursor}", follow=True)) == [key]


@pytest.mark.parametrize("cursor", ["1.1", "1." + "9" * 40])
def test_past_the_oldest_key_are_the_newest(browser, user, cursor):
    key = make_key(user)

    assert listed(browser.get(f"{KEYS}?before={cursor}", follow=True)) == [key]


def test_a_user_with_all_the_keys_there_may_be_is_told_so(browser, user):
    make_keys(user, MAX_KEYS)

    response = browser.get(NEW, follow=True)

    assert response.redirect_chain == [(KEYS, 302)]
    assert f"{MAX_KEYS} API keys are the most" in response.content.decode()


def test_a_form_that_was_open_at_the_cap_makes_no_key_and_says_so(browser, user):
    token = browser.get(NEW).context["form_token"]
    make_keys(user, MAX_KEYS)

    refused = browser.post(NEW, {"name": "Laptop", "form_token": token})

    assert f"{MAX_KEYS} API keys are the most" in refused.content.decode()
    assert 'value="Laptop"' in refused.content.decode()
    assert ApiKey.objects.count() == MAX_KEYS


def test_a_deleted_key_makes_room_for_another(browser, user):
    make_keys(user, MAX_KEYS)
    browser.post(f"{KEYS}/{ApiKey.objects.first().pk}/delete")

    create(browser)

    assert ApiKey.objects.filter(name="Laptop").count() == 1


def test_keys_of_others_take_no_room(browser, user):
    make_keys(make_user(), MAX_KEYS)

    create(browser)

    assert ApiKey.objects.filter(user=user).count() == 1


def test_edits_a_key(browser, user):
    key = make_key(user)

    browser.post(f"{KEYS}/{key.pk}", {"name": "Desktop", "limit": "3", "limit_reset": "daily"})

    key.refresh_from_db()
    assert (key.name, key.limit, key.limit_reset) == ("Desktop", Decimal(3), "daily")
    assert key.updated_at is not None


def test_an_old_use_is_shown_with_its_year(browser, user):
    key, moment = make_key(user), datetime(2025, 11, 7, 14, 29, 2, tzinfo=UTC)
    Spend.objects.create(owner=f"key:{key.pk}", period="total", updated_at=moment)

    assert "7 Nov 2025 14:29:02" in browser.get(KEYS).content.decode()


def test_an_untouched_day_keeps_the_exact_time_of_expiry(browser, user):
    moment = datetime(2026, 1, 5, 17, 30, tzinfo=UTC)
    key = make_key(user, expires_at=moment)

    browser.post(f"{KEYS}/{key.pk}", {"name": "Desktop", "expires_on": "2026-01-05"})

    key.refresh_from_db()
    assert (key.name, key.expires_at) == ("Desktop", moment)


def test_disables_and_enables_a_key(browser, user):
    key = make_key(user)

    browser.post(f"{KEYS}/{key.pk}/disable")
    key.refresh_from_db()
    assert key.disabled

    browser.post(f"{KEYS}/{key.pk}/enable")
    key.refresh_from_db()
    assert not key.disabled


def test_deletes_a_key_after_asking(browser, user):
    key = make_key(user)

    assert "Delete Laptop?" in browser.get(f"{KEYS}/{key.pk}/delete").content.decode()
    assert ApiKey.objects.exists()
    browser.post(f"{KEYS}/{key.pk}/delete")
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("action", ["", "/disable", "/enable", "/delete"])
def test_the_key_of_another_is_not_found(browser, action):
    key = make_key(disabled=True)

    response = browser.post(f"{KEYS}/{key.pk}{action}", {"name": "Mine now"})

    assert response.status_code == 404
    unchanged = ApiKey.objects.get()
    assert (unchanged.name, unchanged.disabled) == ("Laptop", True)


def test_keys_of_others_are_not_listed_even_for_a_superuser(client, db):
    make_key(name="Of someone else")
    client.force_login(make_user(is_superuser=True, is_staff=True))

    assert "Of someone else" not in client.get(KEYS).content.decode()


@pytest.mark.parametrize("path", [KEYS, NEW, f"{KEYS}/1", f"{KEYS}/1/delete"])
def test_signed_out_is_sent_to_sign_in(client, path):
    assert client.get(path).url.startswith("/sign-in?next=")


@pytest.mark.parametrize("action", ["/disable", "/enable"])
def test_the_address_of_a_switch_leads_to_the_list_and_changes_nothing(browser, user, action):
    key = make_key(user, disabled=action == "/enable")

    assert browser.get(f"{KEYS}/{key.pk}{action}").url == KEYS
    assert ApiKey.objects.get().disabled == key.disabled


@pytest.mark.parametrize("path", [NEW, f"{KEYS}/1", f"{KEYS}/1/disable", f"{KEYS}/1/delete"])
def test_who_was_signed_out_meanwhile_is_told_that_nothing_changed(client, db, path):
    page = client.post(path, {"name": "Laptop"}, follow=True).content.decode()

    assert "You were signed out, so nothing was changed" in page
    assert "Sign in" in page


@pytest.mark.parametrize("action", ["", "/disable", "/enable", "/delete"])
def test_changes_need_a_csrf_token(user, action):
    key = make_key(user)
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)

    assert client.post(f"{KEYS}/{key.pk}{action}", {"name": "Changed"}).status_code == 403
    unchanged = ApiKey.objects.get()
    assert (unchanged.name, unchanged.disabled) == ("Laptop", False)


def test_creating_needs_a_csrf_token(user):
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    token = client.get(NEW).context["form_token"]

    assert client.post(NEW, {"name": "Laptop", "form_token": token}).status_code == 403
    assert not ApiKey.objects.exists()


def test_what_users_typed_is_escaped(browser, user):
    make_key(user, name="<script>alert(1)</script>")

    assert b"<script>alert" not in browser.get(KEYS).content
