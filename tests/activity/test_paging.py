from datetime import timedelta

import pytest
from django.utils import timezone

from activity.paging import PAGE_SIZE
from tests.factories import make_generation


def test_pages_by_cursor_meet_and_end(browser, user):
    moment = timezone.now()
    rows = [make_generation(user, created_at=moment) for _ in range(PAGE_SIZE + 3)]

    first = browser.get("/activity")
    second = browser.get(f"/activity?{first.context['older']}")
    back = browser.get(f"/activity?{second.context['newer']}")

    assert first.context["page"].rows == rows[:2:-1]
    assert second.context["page"].rows == rows[2::-1]
    assert second.context["older"] == ""
    assert back.context["page"].rows == first.context["page"].rows
    assert back.context["newer"] == ""


def test_a_page_keeps_its_place_while_rows_arrive(browser, user):
    moment = timezone.now() - timedelta(minutes=5)
    rows = [make_generation(user, created_at=moment) for _ in range(PAGE_SIZE + 1)]
    older = browser.get("/activity").context["older"]
    make_generation(user)

    assert browser.get(f"/activity?{older}").context["page"].rows == rows[:1]


def test_a_cursor_keeps_the_filters(browser, user):
    [make_generation(user) for _ in range(PAGE_SIZE + 1)]

    assert "provider=Anthropic" in browser.get("/activity?provider=Anthropic").context["older"]


@pytest.mark.parametrize("cursor", ["x", "1.", "-1.a", "9" * 40 + ".a", "\u0661.a", "1.a%00"])
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_broken_cursor_never_breaks_the_page(browser, user, side, cursor):
    make_generation(user)

    assert browser.get(f"/activity?{side}={cursor}").status_code == 200


@pytest.mark.parametrize("cursor", ["x", ".", "1", "-1.a", "9" * 40 + ".a"])
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_broken_cursor_leads_to_the_newest(browser, user, side, cursor):
    row = make_generation(user)

    assert browser.get(f"/activity?{side}={cursor}").context["page"].rows == [row]


def test_past_the_end_nothing_is_older_and_the_newest_are_a_link_away(browser, user):
    make_generation(user)

    page = browser.get("/activity?provider=Anthropic&before=0.x").content.decode()

    assert "Nothing older" in page
    assert '<a class="button" href="?provider=Anthropic">Show the newest</a>' in page
    assert "No request matches" not in page
    assert "Clear filters" not in page


def test_where_nothing_matches_no_cursor_is_past_the_end(browser, user):
    make_generation(user)

    page = browser.get("/activity?provider=Nobody&before=0.x").content.decode()

    assert "No request matches" in page
    assert "Nothing older" not in page
