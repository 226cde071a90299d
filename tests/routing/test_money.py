"""Costs against an oracle that is written by hand and knows no Decimal: it counts picodollars."""

from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from activity.models import Generation, Spend
from routing import estimate, pricing, usage
from routing.pricing import Rates
from tests.conftest import Api, FakeProvider, completion_json
from tests.routing.stories import offer
from tests.routing.values import make_offer

PICODOLLARS = 10**12
PRICES = ("cache_read", "cache_write", "audio", "request", "web_search")
LONG_PRICES = ("long_prompt", "long_completion", "long_cache_read", "long_cache_write")
THRESHOLDS = st.sampled_from([0, 1000, 200_000])

# A price has up to 20 digits, 12 of them decimals; those that occur are below a cent a token.
prices = st.integers(0, 10**10)
counts = st.integers(0, 400_000) | st.sampled_from([0, 1, 999, 1000, 1001, 200_000, 200_001, 10**9])
tables = st.fixed_dictionaries(
    {"prompt": prices, "completion": prices},
    optional=dict.fromkeys((*PRICES, *LONG_PRICES), prices) | {"long_context_over": THRESHOLDS},
)
reports = st.fixed_dictionaries(
    dict.fromkeys(("prompt", "completion"), counts),
    optional=dict.fromkeys(("cached", "written", "audio", "reasoning"), counts)
    | {"searches": st.integers(0, 20)},
)


def oracle(table: dict[str, int], report: dict[str, int], *, inside: bool) -> int:
    """What an answer costs, in picodollars."""
    cached, written = report.get("cached", 0), report.get("written", 0)
    prompt = report["prompt"] if inside else report["prompt"] + cached + written
    rates = dict(table)
    over = rates.get("long_context_over")
    if over is not None and prompt > over:
        rates |= {name.removeprefix("long_"): table[name] for name in LONG_PRICES if name in table}
    read_price = rates.get("cache_read", rates["prompt"])
    write_price = rates.get("cache_write", rates["prompt"])
    audio_price = rates.get("audio", rates["prompt"])
    # What a report says too much of is cut: reads first, then writes, then audio.
    left = prompt
    cost = 0
    for claimed, price in ((cached, read_price), (written, write_price)):
        taken = min(claimed, left)
        left -= taken
        cost += taken * price
    heard = min(report.get("audio", 0), left)
    cost += heard * audio_price + (left - heard) * rates["prompt"]
    cost += report["completion"] * rates["completion"]
    cost += min(report.get("searches", 0), 10) * rates.get("web_search", 0)
    return cost + rates.get("request", 0)


def wire_report(report: dict[str, int]) -> dict[str, Any]:
    """The report as providers spell it."""
    inside = {"cached": "cached_tokens", "written": "cache_write_tokens", "audio": "audio_tokens"}
    return {
        "prompt_tokens": report["prompt"],
        "completion_tokens": report["completion"],
        "prompt_tokens_details": {inside[n]: v for n, v in report.items() if n in inside},
        "completion_tokens_details": {"reasoning_tokens": report.get("reasoning", 0)},
        "server_tool_use": {"web_search_requests": report.get("searches", 0)},
    }


def dollars(picodollars: int) -> Decimal:
    return Decimal(picodollars).scaleb(-12)


def rates_of(table: dict[str, int]) -> Rates:
    exact = {name: dollars(price) for name, price in table.items() if name != "long_context_over"}
    return Rates(**exact, long_context_over=table.get("long_context_over"))


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(table=tables, report=reports, inside=...)
def test_a_cost_is_what_the_oracle_says(
    table: dict[str, int], report: dict[str, int], inside: bool
) -> None:
    found = usage.from_upstream(wire_report(report), cached_in_prompt=inside, most_searches=10)

    assert found is not None
    cost = pricing.total(pricing.lines(found, rates_of(table)))
    assert cost == dollars(oracle(table, report, inside=inside))


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(
    table=tables,
    report=reports,
    bound=st.integers(1, 400_000),
    share=st.fractions(0, 1),
    searches=st.booleans(),
)
def test_an_answer_as_long_as_was_granted_costs_no_more_than_that(
    table: dict[str, int], report: dict[str, int], bound: int, share: Any, searches: bool
) -> None:
    parameters = frozenset({"max_tokens", "web_search_options"} if searches else {"max_tokens"})
    chosen = make_offer(rates=rates_of(table), supported_parameters=parameters)
    budget = estimate.budget(bound, None, [chosen])
    room = budget.estimate - budget.minimum
    granted = budget.minimum + (room * share.numerator / share.denominator)

    most = estimate.answer_tokens(None, granted, bound, chosen, 0)
    prompt = min(report["prompt"], bound, chosen.context_length)
    longest = {**report, "prompt": prompt, "completion": most}
    found = usage.from_upstream(
        wire_report(longest),
        cached_in_prompt=True,
        most_searches=usage.most_searches(parameters),
    )

    assert found is not None
    assert pricing.total(pricing.lines(found, chosen.rates)) <= granted


TABLE = {
    "prompt": 1_250_000,
    "completion": 10_000_001,
    "cache_read": 125_003,
    "cache_write": 1_562_500,
    "audio": 32_000_000,
    "request": 4_000_000_000,
    "web_search": 10_000_000_007,
    "long_context_over": 200_000,
    "long_prompt": 2_500_000,
    "long_completion": 15_000_000,
    "long_cache_read": 250_009,
}
LISTED = ["max_tokens", "web_search_options"]


async def test_what_is_logged_and_spent_is_what_the_oracle_says(
    api: Api, provider: FakeProvider
) -> None:
    amounts = {name: f"{dollars(price):f}" for name, price in TABLE.items() if "over" not in name}
    over = {"long_context_over": TABLE["long_context_over"]}
    await offer(api, {"prices": amounts | over, "supported_parameters": LISTED})
    chance = Random(2026)
    names = ("prompt", "completion", "cached", "written", "audio", "reasoning")
    given_reports = [
        {name: chance.randrange(2 ** chance.randrange(1, 20)) for name in names}
        | {"searches": chance.randrange(4)}
        for _ in range(60)
    ]

    [
        await ask(api, provider, completion_json(usage=wire_report(report)))
        for report in given_reports
    ]

    wanted = [dollars(oracle(TABLE, report, inside=True)) for report in given_reports]
    assert [row.cost async for row in Generation.objects.order_by("created_at")] == wanted
    spent = Spend.objects.filter(owner=f"key:{api.key.pk}")
    assert {row.spent async for row in spent} == {sum(wanted)}


async def ask(api: Api, provider: FakeProvider, answer: dict[str, Any]) -> None:
    provider._replies.clear()
    provider.reply(json=answer)
    await api.complete()
