from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from activity.breakdown import HEIGHT, LEAST_BARS, MOST_BARS, MOST_MODELS, break_down
from activity.models import Generation
from tests.factories import make_generation, make_user

NOW = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def at(hour: int, model: str = "a/one", spend: str = "1", **numbers: int) -> dict[str, Any]:
    """The sums of a model in an hour of that day, as the database gives them."""
    began = NOW.replace(hour=hour, minute=0, second=0)
    counts = {"requests": 1, "prompt": 10, "completion": 5, "errors": 0, **numbers}
    return {"routed_model": model, "began": began, "spend": Decimal(spend), **counts}


def test_totals_are_the_sums_of_all():
    rows = [at(3, spend="1.25", errors=1), at(4, "b/two", "0.000000000001", requests=2)]

    totals = break_down(rows, HOUR, NOW - DAY, NOW).totals

    assert totals["spend"] == Decimal("1.250000000001")
    assert (totals["requests"], totals["errors"]) == (3, 1)
    assert (totals["prompt"], totals["completion"]) == (20, 10)


def test_the_dearest_model_is_first_with_its_share():
    rows = [at(3, "b/two", "1"), at(3, "a/one", "2"), at(4, "a/one", "1")]

    first, second = break_down(rows, HOUR, NOW - DAY, NOW).lines

    assert (first.models, first.sums["spend"], first.share) == (["a/one"], Decimal(3), "75.0%")
    assert (second.models, second.tokens, second.share) == (["b/two"], 15, "25.0%")


@pytest.mark.parametrize(
    ("count", "lines", "last"), [(MOST_MODELS + 1, MOST_MODELS + 1, 1), (12, MOST_MODELS + 1, 4)]
)
def test_the_cheapest_models_share_a_line_where_more_than_one_is_left(count, lines, last):
    rows = [at(3, f"a/{number}", f"{20 - number}") for number in range(count)]

    found = break_down(rows, HOUR, NOW - DAY, NOW).lines

    assert len(found) == lines
    assert len(found[-1].models) == last
    assert sum(line.sums["spend"] for line in found) == sum(row["spend"] for row in rows)


def test_bars_cover_the_period_with_and_without_requests():
    bars = break_down([at(3), at(14, spend="4")], HOUR, NOW - DAY, NOW).bars

    assert len(bars) == 25
    assert bars[0].began <= NOW - DAY < bars[0].ended
    assert bars[-1].began <= NOW < bars[-1].ended
    assert [bar.began.hour for bar in bars if bar.parts] == [3, 14]


def test_a_bar_is_piled_up_to_its_share_of_the_highest():
    rows = [at(3, "a/one", "3"), at(3, "b/two", "1"), at(4, "a/one", "2")]

    bars = break_down(rows, HOUR, NOW - DAY, NOW).bars

    highest, half = (bar.parts for bar in bars if bar.parts)
    assert [(part.line.name, part.y, part.height) for part in highest] == [
        ("a/one", 25, 75),
        ("b/two", 0, 25),
    ]
    assert [(part.line.name, part.y, part.height) for part in half] == [("a/one", 50, HEIGHT / 2)]


@pytest.mark.parametrize(("year", "count"), [(2019, MOST_BARS), (2026, LEAST_BARS)])
def test_all_time_is_told_by_months_and_is_bounded(year, count):
    first = datetime(year, 3, 1, tzinfo=UTC)

    bars = break_down([at(3) | {"began": first}], None, None, NOW).bars

    assert len(bars) == count
    assert bars[-1].began == datetime(2026, 3, 1, tzinfo=UTC)
    assert bars[-1].ended == datetime(2026, 4, 1, tzinfo=UTC)
    assert bars[-2].began == datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(("year", "is_cut"), [(2019, True), (2025, False)])
def test_what_is_older_than_the_bars_is_said_to_be(year, is_cut):
    older = at(3) | {"began": datetime(year, 3, 1, tzinfo=UTC)}

    found = break_down(
        [older, at(3) | {"began": datetime(2026, 3, 1, tzinfo=UTC)}], None, None, NOW
    )

    assert found.is_cut is is_cut
    assert found.totals["requests"] == 2


def test_nothing_spent_is_no_division_by_it():
    found = break_down([at(3, spend="0")], HOUR, NOW - DAY, NOW)

    assert found.highest == 0
    assert found.lines[0].share == "0.0%"
    assert break_down([], None, None, NOW).lines == []


@pytest.mark.parametrize(
    ("step", "began"),
    [
        (timedelta(minutes=2), datetime(2026, 3, 14, 15, 8, tzinfo=UTC)),
        (timedelta(hours=6), datetime(2026, 3, 14, 12, tzinfo=UTC)),
        (DAY, datetime(2026, 3, 14, tzinfo=UTC)),
        (None, datetime(2026, 3, 1, tzinfo=UTC)),
    ],
)
def test_the_database_begins_its_steps_where_the_bars_do(db, step, began):
    make_generation(make_user(), created_at=NOW)

    [sums] = Generation.objects.sums(step)

    assert sums["began"] == began
    assert began in [bar.began for bar in break_down([sums], step, None, NOW).bars]


def test_the_models_of_the_period_are_summed_up_and_lead_to_their_requests(browser, user):
    make_generation(user, routed_model="a/one", cost=Decimal("0.3"))
    make_generation(user, routed_model="b/two", cost=Decimal("0.1"))

    page = browser.get("/activity?period=24h").content.decode()

    assert 'href="?period=24h&amp;model=a%2Fone"' in page
    assert "75.0%" in page
    assert "$0.400000, 2 requests" in page
