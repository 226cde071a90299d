"""A pool is worked out once for all requests of a kind; what it holds is in test_decision.py."""

import weakref
from typing import Any

from routing.completion import Completion
from routing.eligibility import needs_of
from routing.engine import conversation
from routing.policy import resolve
from routing.pool import Pool, pool_for
from tests.routing.values import make_catalogue, make_completion, make_model, make_offer, make_rates

SMALL = make_model("a/small", make_offer("a/small", context_length=20_000, max_output_tokens=2_000))
DEAR_WHEN_LONG = make_model(
    "a/long",
    make_offer(
        "a/long",
        rates=make_rates(long_context_over=10_000, long_prompt="0.000002"),
    ),
)
CATALOGUE = make_catalogue(SMALL, DEAR_WHEN_LONG)


def found(catalogue: Any = CATALOGUE, words: int = 5, **fields: Any) -> Pool:
    messages = [{"role": "user", "content": "word " * words}]
    completion: Completion = make_completion(messages=messages, **fields)
    needs = needs_of(completion, conversation.read(completion.messages))
    rules = resolve(completion.plugin, None)
    return pool_for(catalogue, rules, needs, completion.provider, lambda offer: float(offer.id))


def prices(pool: Pool) -> list[float]:
    return [candidate.prompt_price for candidate in pool.candidates]


def test_short_requests_share_a_pool() -> None:
    assert found(words=5) is found(words=500) is found(max_tokens=2_000)


def test_a_long_prompt_has_its_own_prices() -> None:
    assert prices(found(words=9_000)) == [0.000001, 0.000002]
    assert prices(found(words=5)) == [0.000001, 0.000001]


def test_what_does_not_fit_is_out() -> None:
    assert found(words=30_000).out["a/small"].reason == "context"
    assert found(max_tokens=2_001).out["a/small"].reason == "max_output"


def test_patterns_and_preferences_have_pools_of_their_own() -> None:
    plugin = {"id": "auto-router", "excluded_models": ["a/small"]}

    assert list(found(plugins=[plugin]).offers) == ["a/long"]
    assert list(found(provider={"ignore": ["up"]}).offers) == []
    assert list(found().offers) == ["a/small", "a/long"]


def test_another_catalogue_is_looked_at_anew() -> None:
    assert list(found(make_catalogue(SMALL)).offers) == ["a/small"]


def test_an_order_by_speed_is_never_remembered() -> None:
    fast = {"provider": {"sort": "latency"}}

    assert found(**fast) is not found(**fast)


def test_a_catalogue_is_forgotten_with_its_pools() -> None:
    catalogue = make_catalogue(SMALL)
    found(catalogue)
    gone = weakref.ref(catalogue)

    del catalogue

    assert gone() is None
