import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from activity import candidates
from routing.catalog import Catalogue, Model
from routing.decision import Decision, decide
from routing.errors import InvalidRequest, NoMatchingModel, NotFound
from routing.failures import of_status
from routing.health import Health
from tests.routing.stories import FLASH, HAIKU, OPUS, PRICES, SMALL
from tests.routing.values import (
    make_account,
    make_catalogue,
    make_completion,
    make_model,
    make_offer,
    make_rates,
)

TOOL = {"type": "function", "function": {"name": "look_up"}}
HARD = [{"role": "user", "content": "Prove that every finite integral domain is a field."}]


def priced(slug: str, at: int, **fields: Any) -> Model:
    return make_model(slug, make_offer(slug, id=at, rates=make_rates(*PRICES[slug])), **fields)


POOL = make_catalogue(*(priced(slug, at) for at, slug in enumerate(PRICES)))


class NoPins:
    def ask(self, key: str) -> "asyncio.Future[None]":
        found: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        found.set_result(None)
        return found


def make_process(catalogue: Catalogue) -> Any:
    speeds = SimpleNamespace(speeds=lambda sort: lambda offer: 0.0)
    snapshot = SimpleNamespace(catalogue=catalogue)
    return SimpleNamespace(snapshot=snapshot, upstream=speeds, health=Health(), pins=NoPins())


async def decided(catalogue: Catalogue = POOL, **fields: Any) -> Decision:
    """A decision without a session: an order of providers, which nobody has, reads no pin."""
    preferences = {"order": ["none"]} | fields.pop("provider", {})
    completion = make_completion(provider=preferences, **fields)
    return await decide(make_process(catalogue), make_account(), completion)


def models_of(decision: Decision) -> list[str]:
    return [offer.model for offer in decision.offers]


def plugins(**fields: Any) -> list[dict[str, Any]]:
    return [{"id": "auto-router"} | fields]


async def test_at_most_three_endpoints_are_tried() -> None:
    decision = await decided()

    assert len(decision.offers) == len(set(models_of(decision))) == 3


def candidates_of(decision: Decision) -> list[Any]:
    return candidates.read(decision.receipt)


async def test_the_order_is_that_of_the_ranking() -> None:
    decision = await decided(messages=HARD, plugins=plugins(cost_quality_tradeoff=0))

    ranked = [one["model"] for one in candidates_of(decision)]
    assert models_of(decision) == ranked[:3]
    assert ranked[0] == OPUS


@pytest.mark.parametrize("messages", [None, HARD])
async def test_turning_the_dial_up_never_costs_more(messages: Any) -> None:
    fields = {"messages": messages} if messages else {}
    decisions = [
        await decided(plugins=plugins(cost_quality_tradeoff=dial), **fields) for dial in range(11)
    ]

    costs = [candidates_of(one)[0]["cost_usd"] for one in decisions]
    assert costs == sorted(costs, reverse=True)
    assert models_of(decisions[10])[0] == SMALL


async def test_the_same_request_is_decided_the_same() -> None:
    assert (await decided(messages=HARD)).receipt == (await decided(messages=HARD)).receipt


async def test_the_receipt_names_every_model_of_the_pool() -> None:
    decision = await decided(plugins=plugins(excluded_models=["anthropic/*"]))

    found = candidates_of(decision)
    assert sorted(one["model"] for one in (*found, *decision.receipt["out"])) == sorted(PRICES)
    assert found[0]["reason"] == "chosen"
    assert 0 < found[1]["low"] <= found[1]["quality"] <= found[1]["high"] < 1
    assert found[1]["cost_usd"] > 0


async def test_candidates_before_a_model_that_the_request_lists_say_so() -> None:
    decision = await decided(model=OPUS, models=["openrouter/auto"])

    found = {one["model"]: one["reason"] for one in candidates_of(decision)}
    assert models_of(decision)[0] == OPUS
    assert found.pop(OPUS) == "chosen"
    assert "listed" in found.values()
    assert "pinned" not in found.values()


async def test_a_model_that_cannot_serve_the_request_is_out_with_its_reason() -> None:
    plain = make_offer(SMALL, supported_parameters=frozenset({"max_tokens"}))
    catalogue = make_catalogue(make_model(SMALL, plain), priced(HAIKU, 1))

    decision = await decided(catalogue, tools=[TOOL])

    assert models_of(decision) == [HAIKU]
    out = [(one["model"], one["reason"]) for one in decision.receipt["out"]]
    assert out == [(SMALL, "tools")]


async def test_a_longer_answer_than_anyone_gives_is_answered_by_the_pool() -> None:
    decision = await decided(max_tokens=50_000)

    assert len(decision.offers) == 3


async def test_a_longer_answer_goes_to_who_can_give_it() -> None:
    long = make_offer(OPUS, id=9, max_output_tokens=60_000)
    catalogue = make_catalogue(priced(SMALL, 1), make_model(OPUS, long))

    assert models_of(await decided(catalogue, max_tokens=50_000)) == [OPUS]


async def test_a_direct_slug_is_that_model_alone() -> None:
    decision = await decided(model=FLASH, plugins=plugins(allowed_models=["anthropic/*"]))

    assert models_of(decision) == [FLASH]
    assert decision.receipt["strategy"] == "direct"
    assert "candidates" not in decision.receipt


async def test_fallbacks_follow_in_their_order() -> None:
    decision = await decided(model=OPUS, models=[SMALL, HAIKU])

    assert models_of(decision) == [OPUS, SMALL, HAIKU]
    assert decision.receipt["strategy"] == "fallback"


async def test_the_router_as_a_fallback_adds_its_ranking_once() -> None:
    decision = await decided(model=HAIKU, models=["openrouter/auto"])

    assert models_of(decision)[0] == HAIKU
    assert models_of(decision).count(HAIKU) == 1


async def test_a_fallback_outside_the_patterns_was_asked_for_by_name() -> None:
    names = ["openrouter/auto", SMALL]
    decision = await decided(models=names, plugins=plugins(allowed_models=["google/*"]))

    assert models_of(decision) == [FLASH, SMALL]


async def test_without_fallbacks_there_is_one_endpoint() -> None:
    decision = await decided(provider={"order": ["up"], "allow_fallbacks": False})

    assert len(decision.offers) == 1


@pytest.mark.parametrize(("fallbacks", "tried"), [(True, [4]), (False, [0])])
async def test_another_endpoint_stands_in_for_those_that_failed_where_it_may(
    fallbacks: bool, tried: list[int]
) -> None:
    offers = [make_offer("a/one", provider=f"p{at}", id=at) for at in range(5)]
    catalogue = make_catalogue(make_model("a/one", *offers))
    process = make_process(catalogue)
    for offer in offers[:4]:
        process.health.failed(offer, of_status(503, http_status=503), began=0)
    completion = make_completion(model="a/one", provider={"allow_fallbacks": fallbacks})

    decision = await decide(process, make_account(), completion)

    assert [one.id for one in decision.offers] == tried


async def test_without_fallbacks_all_providers_that_a_request_lists_are_its_own() -> None:
    offers = [make_offer(HAIKU, provider=name, id=at) for at, name in enumerate(("up", "b", "c"))]
    catalogue = make_catalogue(make_model(HAIKU, *offers), priced(SMALL, 9))
    preferences = {"order": ["c", "up"], "allow_fallbacks": False}

    decision = await decided(catalogue, models=[HAIKU, SMALL], model=HAIKU, provider=preferences)

    assert [(one.model, one.provider) for one in decision.offers] == [(HAIKU, "c"), (HAIKU, "up")]


@pytest.mark.parametrize("fields", [{"model": "acme/x"}, {"model": HAIKU, "models": ["acme/x"]}])
async def test_a_model_that_does_not_exist_is_named(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="acme/x is not a valid model ID"):
        await decided(**fields)


async def test_nothing_left_says_what_kept_each_model_out() -> None:
    with pytest.raises(NoMatchingModel) as refusal:
        await decided(plugins=plugins(allowed_models=["google/*"], excluded_models=["*flash*"]))

    reasons = refusal.value.metadata["out"]
    assert reasons == {SMALL: "pattern", HAIKU: "pattern", OPUS: "pattern", FLASH: "excluded"}


async def test_a_model_asked_for_by_name_says_what_it_lacks() -> None:
    plain = make_offer("a/one", supported_parameters=frozenset())
    catalogue = make_catalogue(make_model("a/one", plain))

    with pytest.raises(NotFound, match="No endpoints found for a/one: It does not call tools"):
        await decided(catalogue, model="a/one", tools=[TOOL])


@pytest.mark.parametrize(
    ("last", "first"),
    [
        ({"model": OPUS}, OPUS),
        ({"model": "Anthropic/Claude-Opus-4.6"}, OPUS),
        ({"model": "acme/gone"}, None),
        ({}, None),
    ],
)
async def test_pin_model_puts_the_last_answerer_first(
    last: dict[str, str], first: str | None
) -> None:
    messages = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi", "model": HAIKU},
        {"role": "assistant", "content": "Hi", **last},
        {"role": "user", "content": "Thanks"},
    ]

    asked = plugins(pin_model=True, cost_quality_tradeoff=10)
    decision = await decided(messages=messages, plugins=asked)

    assert models_of(decision)[0] == (first or SMALL)


async def test_a_title_for_the_client_itself_is_housekeeping() -> None:
    title = [{"role": "user", "content": "Write a concise title for this conversation."}]

    assert (await decided(messages=title)).housekeeping
    assert not (await decided()).housekeeping
