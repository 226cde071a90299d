from dataclasses import fields
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing import pricing
from routing.pricing import Rates
from routing.usage import Usage
from tests.routing.values import make_rates

LONG = {"long_context_over": 200_000, "long_prompt": "0.000002", "long_completion": "0.00001"}


def cost(usage: Usage, rates: Rates) -> Decimal:
    return pricing.total(pricing.lines(usage, rates))


@pytest.mark.parametrize(
    ("rates", "usage", "expected"),
    [
        ({}, {"prompt_tokens": 10, "completion_tokens": 5}, "0.00002"),
        ({}, {}, "0"),
        ({"request": "0.01"}, {}, "0.01"),
        ({"web_search": "0.005"}, {"web_searches": 3}, "0.015"),
        # reasoning is part of the completion
        ({}, {"completion_tokens": 5, "reasoning_tokens": 4}, "0.00001"),
        # cached and written tokens are part of the prompt, each counted once
        (
            {"cache_read": "0.0000001", "cache_write": "0.00000125"},
            {"prompt_tokens": 100, "cached_tokens": 60, "cache_write_tokens": 30},
            "0.0000535",
        ),
        ({}, {"prompt_tokens": 100, "cached_tokens": 60, "cache_write_tokens": 30}, "0.0001"),
        ({"cache_read": "0"}, {"prompt_tokens": 100, "cached_tokens": 60}, "0.00004"),
        ({"audio": "0.000003"}, {"prompt_tokens": 100, "audio_tokens": 40}, "0.00018"),
        ({}, {"prompt_tokens": 100, "audio_tokens": 40}, "0.0001"),
        # cached audio is charged as cached
        (
            {"audio": "0.000003", "cache_read": "0"},
            {"prompt_tokens": 100, "cached_tokens": 80, "audio_tokens": 40},
            "0.00006",
        ),
        # one cached token of the cheapest model of the pool is not lost
        ({"cache_read": "0.000000005"}, {"prompt_tokens": 1, "cached_tokens": 1}, "0.000000005"),
    ],
)
def test_a_cost_is_the_sum_of_its_token_classes(
    rates: dict[str, Any], usage: dict[str, int], expected: str
) -> None:
    assert cost(Usage(**usage), make_rates(**rates)) == Decimal(expected)


@pytest.mark.parametrize(
    ("prompt_tokens", "expected"), [(200_000, "0.20001"), (200_001, "0.400052")]
)
def test_a_prompt_over_the_threshold_is_dearer_from_its_first_token(
    prompt_tokens: int, expected: str
) -> None:
    usage = Usage(prompt_tokens=prompt_tokens, completion_tokens=5)

    assert cost(usage, make_rates(**LONG)) == Decimal(expected)


def test_a_long_context_rate_that_is_not_given_stays_as_it_was() -> None:
    rates = make_rates(cache_read="0.0000001", request="0.01", web_search="0.005", **LONG)

    long = rates.for_prompt(200_001)

    assert (long.cache_read, long.request) == (Decimal("0.0000001"), Decimal("0.01"))
    assert (long.prompt, long.completion) == (Decimal("0.000002"), Decimal("0.00001"))
    assert long.web_search == Decimal("0.005")


def test_a_cached_token_of_a_long_prompt_has_its_long_rate() -> None:
    rates = make_rates(cache_read="0.0000001", long_cache_read="0.0000002", **LONG)

    found = cost(Usage(prompt_tokens=200_001, cached_tokens=200_001), rates)

    assert found == Decimal("0.0400002")


def test_the_lines_say_how_the_cost_came_about() -> None:
    usage = Usage(prompt_tokens=10, cached_tokens=4, completion_tokens=5)

    lines = pricing.lines(usage, make_rates(cache_read="0.0000001"))

    assert lines == [
        {"class": "prompt", "quantity": 6, "price": "0.000001", "cost": "0.000006"},
        {"class": "cache_read", "quantity": 4, "price": "0.0000001", "cost": "0.0000004"},
        {"class": "completion", "quantity": 5, "price": "0.000002", "cost": "0.00001"},
    ]


def test_insurance_takes_every_line_back() -> None:
    lines = pricing.lines(Usage(prompt_tokens=10), make_rates(request="0.01"))

    insured = pricing.insured(lines)

    assert insured[:-1] == lines
    assert insured[-1]["class"] == "insurance"
    assert pricing.total(insured) == 0


def test_nothing_needs_no_insurance() -> None:
    assert pricing.insured([]) == []


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0", "0"), ("1E-9", "0.000000001"), ("0.00002000", "0.00002"), ("1E+2", "100"), ("10", "10")],
)
def test_an_amount_is_written_in_full(amount: str, text: str) -> None:
    assert pricing.plain(Decimal(amount)) == text


def test_a_snapshot_holds_every_rate_exactly() -> None:
    rates = make_rates(cache_read="0.000000005", **LONG)

    snapshot = rates.snapshot()

    assert snapshot["cache_read"] == "0.000000005"
    assert snapshot["long_context_over"] == 200_000
    assert snapshot.keys() <= {field.name for field in fields(Rates)}
    assert "audio" not in snapshot


money = st.decimals(0, "0.001", places=12)
counts = st.integers(0, 2_000_000)


@settings(deadline=None, derandomize=True)
@given(prompt=money, completion=money, read=st.none() | money, write=st.none() | money, n=counts)
def test_no_split_of_a_prompt_costs_more_than_the_highest(
    prompt: Decimal, completion: Decimal, read: Decimal | None, write: Decimal | None, n: int
) -> None:
    rates = Rates(prompt, completion, min(read, prompt) if read else read, write, audio=write)
    usage = Usage(
        prompt_tokens=n,
        cached_tokens=n // 3,
        cache_write_tokens=n // 4,
        audio_tokens=n // 5,
        completion_tokens=n // 2,
    )

    assert cost(usage, rates) <= pricing.highest(n, n // 2, rates)


@settings(deadline=None, derandomize=True)
@given(n=counts, rates=st.tuples(money, money, money))
def test_the_lines_add_up_without_rounding(n: int, rates: tuple[Decimal, ...]) -> None:
    usage = Usage(prompt_tokens=n, cached_tokens=n // 3, completion_tokens=n)

    found = cost(usage, Rates(*rates))

    assert found == (n - n // 3) * rates[0] + n * rates[1] + (n // 3) * rates[2]
