"""The auto router's pool as a request sees it: which models it may choose, and who is out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from routing import eligibility
from routing.catalog import Catalogue, Model, Offer
from routing.eligibility import Needs, Out
from routing.engine import patterns
from routing.engine.predictor import Candidate
from routing.policy import Policy
from routing.preferences import ProviderPreferences

# Kinds of requests whose pools are remembered; most requests of a catalogue are of one kind.
MOST_KINDS = 256


@dataclass(frozen=True, slots=True)
class Pool:
    """Endpoints by model, each best first; the first ones as candidates; why others are out."""

    offers: Mapping[str, tuple[Offer, ...]]
    candidates: tuple[Candidate, ...]
    out: Mapping[str, Out]


def pool_for(
    catalogue: Catalogue,
    rules: Policy,
    needs: Needs,
    preferences: ProviderPreferences,
    speed: Callable[[Offer], float],
) -> Pool:
    """The pool within the patterns for a request, worked out once for all requests of its kind.

    Where no model can give so long an answer as is asked for, all count that give a shorter one.
    """
    within = (rules.allowed.value, rules.excluded.value)
    needs = _usual(catalogue, needs)
    if preferences.by_speed:
        return _find(catalogue, within, needs, preferences, speed)
    pools, kind = catalogue.worked_out, (within, needs, preferences)
    if kind not in pools:
        if len(pools) >= MOST_KINDS:
            pools.clear()
        pools[kind] = _find(catalogue, within, needs, preferences, speed)
    found: Pool = pools[kind]
    return found


def _usual(catalogue: Catalogue, needs: Needs) -> Needs:
    """The same needs for all requests that every endpoint of the pool has room for."""
    answer = needs.max_tokens or 1
    if answer > catalogue.least_answer or needs.prompt_tokens + answer > catalogue.least_context:
        return needs
    return Needs(needs.inputs, needs.outputs, needs.parameters, 0, None)


def _find(
    catalogue: Catalogue,
    within: tuple[tuple[str, ...], tuple[str, ...]],
    needs: Needs,
    preferences: ProviderPreferences,
    speed: Callable[[Offer], float],
) -> Pool:
    kept, out = _within_patterns(catalogue.pool, *within)
    offers: dict[str, tuple[Offer, ...]] = {}
    for wanted in (needs, needs.leniently()):
        for model in kept:
            found = eligibility.offers_for(model, wanted, preferences, speed)
            if isinstance(found, Out):
                out[model.slug] = found
            else:
                offers[model.slug] = found
                out.pop(model.slug, None)
        if offers:
            break
    tokens = needs.prompt_tokens
    candidates = (
        _candidate(best, is_long=best.rates.is_long(tokens)) for best, *_ in offers.values()
    )
    return Pool(offers, tuple(candidates), out)


def _within_patterns(
    pool: tuple[Model, ...], allowed: tuple[str, ...], excluded: tuple[str, ...]
) -> tuple[list[Model], dict[str, Out]]:
    names = {model.slug: model.names for model in pool}
    within = patterns.select(allowed, names) if allowed else names.keys()
    without = patterns.select(excluded, names)
    out = {}
    for slug in names:
        if slug in without:
            out[slug] = Out("excluded", "An exclusion pattern matches it.")
        elif slug not in within:
            out[slug] = Out("pattern", "No allowed pattern matches it.")
    return [model for model in pool if model.slug not in out], out


def _candidate(offer: Offer, *, is_long: bool) -> Candidate:
    rates = offer.rates.for_long_prompt() if is_long else offer.rates
    return Candidate(
        slug=offer.model,
        prompt_price=float(rates.prompt),
        completion_price=float(rates.completion),
        request_price=float(offer.request_price),
    )
