"""Which models, in which order, and why."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from activity import candidates
from routing import eligibility, policy, sticky
from routing.catalog import Offer
from routing.completion import Completion
from routing.eligibility import Needs, Out
from routing.engine import VERSION, analysis, conversation, predictor, selection
from routing.engine.analysis import Analysis
from routing.engine.selection import Ranked
from routing.errors import InvalidRequest, NoMatchingModel, NotFound
from routing.health import Choice, Turn
from routing.policy import Policy
from routing.pool import pool_for
from routing.process import Process
from routing.snapshot import Account
from routing.sticky import Pinned

AUTO = "openrouter/auto"
# One that fails costs its client seconds; after three the answer is an error.
MOST_ATTEMPTS = 3
MOST_HINTS = 3
MOST_SKIPPED_TOLD = 10
NOTHING_LEFT = "No models match your request and model restrictions"


@dataclass(frozen=True, slots=True)
class Pin:
    """The state of a request's session before it is answered."""

    key: str
    pinned: Pinned | None
    state: str
    explicit: bool
    # Who names a model is pinned to its endpoints alone, never to a fallback model.
    only: str = ""
    # The model is followed, but this one request rules its pinned endpoint out.
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The endpoints to try in order, and the receipt that says why."""

    requested: str
    offers: tuple[Offer, ...]
    prompt_tokens: int
    housekeeping: bool
    pin: Pin
    receipt: dict[str, Any]
    # What the request holds of the endpoints' health until it ends.
    turn: Turn | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be decided: the request, the rules for it, and what it needs."""

    process: Process
    completion: Completion
    rules: Policy
    needs: Needs
    seen: Analysis
    speed: Callable[[Offer], float]


@dataclass(slots=True)
class Draft:
    """A decision in the making: what is eligible, what is out, and the ranking."""

    offers: dict[str, tuple[Offer, ...]]
    out: dict[str, Out]
    ranked: list[Ranked]
    order: list[str]


async def decide(process: Process, account: Account, completion: Completion) -> Decision:
    """Choose for one request; one query, for the pin of its session, while the prompt is analysed.

    Raises InvalidRequest for a model that does not exist and NotFound where none is left.
    """
    key = sticky.pin_key(account, completion)
    # A client that orders providers has its order, whatever its session is pinned to.
    asked = None if completion.provider.order else process.pins.ask(key)
    try:
        # Lets the query leave: the database looks the pin up while we compute.
        await asyncio.sleep(0)
        talk = conversation.read(
            completion.messages,
            tools=completion.tools,
            response_format=completion.response_format,
            max_output_tokens=completion.max_tokens,
        )
        question = Question(
            process=process,
            completion=completion,
            rules=policy.resolve(completion.plugin, account.settings),
            needs=eligibility.needs_of(completion, talk),
            seen=analysis.analyse(talk),
            speed=process.upstream.speeds(completion.provider.sort),
        )
        draft = _draft(question)
        pin = _pin(question, draft, key, await asked if asked else None)
    finally:
        if asked:
            asked.cancel()
    choice = _choice(question, draft, _followed(question, draft, pin))
    return Decision(
        requested=completion.requested,
        offers=choice.offers,
        prompt_tokens=talk.prompt_tokens,
        housekeeping=question.seen.housekeeping,
        pin=pin,
        receipt=_receipt(question, draft, pin, choice),
        turn=choice.turn,
    )


def _draft(question: Question) -> Draft:
    """All that can serve the request, in the order of the models asked for."""
    draft = Draft({}, {}, [], [])
    for name in question.completion.models:
        if name == AUTO:
            _add_pool(question, draft)
        else:
            _add_model(question, name, draft)
    if not draft.order:
        raise _nothing_left(question.completion, draft)
    return draft


def _add_model(question: Question, name: str, draft: Draft) -> None:
    model = question.process.snapshot.catalogue.find(name)
    if model is None:
        field = question.completion.models[name]
        raise InvalidRequest(f"{name} is not a valid model ID", param=field)
    # Who names a model gets it; an answer longer than it can give is clamped.
    needs, preferences = question.needs.leniently(), question.completion.provider
    found = eligibility.offers_for(model, needs, preferences, question.speed)
    if isinstance(found, Out):
        draft.out[model.slug] = found
    elif model.slug not in draft.order:
        draft.offers[model.slug] = found
        draft.order.append(model.slug)


def _add_pool(question: Question, draft: Draft) -> None:
    catalogue = question.process.snapshot.catalogue
    preferences, speed = question.completion.provider, question.speed
    pool = pool_for(catalogue, question.rules, question.needs, preferences, speed)
    draft.offers.update(pool.offers)
    draft.out = {slug: out for slug, out in draft.out.items() if slug not in pool.offers}
    draft.out.update(pool.out)
    predictions = predictor.predict(question.seen, pool.candidates)
    draft.ranked = selection.rank(predictions, question.rules.tradeoff.value)
    known = set(draft.order)
    draft.order += [one.slug for one in draft.ranked if one.slug not in known]


def _nothing_left(completion: Completion, draft: Draft) -> NotFound:
    reasons = {slug: out.reason for slug, out in draft.out.items()}
    if completion.requested != AUTO:
        out = draft.out.get(completion.requested) or next(iter(draft.out.values()))
        return NotFound(f"No endpoints found for {completion.requested}: {out.detail}", out=reasons)
    # Clients know this sentence; what would help stands beside it.
    hints = sorted({out.detail for out in draft.out.values()})[:MOST_HINTS]
    return NoMatchingModel(NOTHING_LEFT, out=reasons, hints=hints)


def _pin(question: Question, draft: Draft, key: str, pinned: Pinned | None) -> Pin:
    """The session's pin and what becomes of it; none was looked up where providers are ordered."""
    completion = question.completion
    named = question.process.snapshot.catalogue.find(completion.requested)
    only = named.slug if named else ""
    state = "off" if completion.provider.order else _pin_state(pinned, draft, only)
    elsewhere = state == "followed" and _is_ruled_out(question, draft, pinned)
    return Pin(key, pinned, state, completion.session.explicit, only, elsewhere)


def _pin_state(pinned: Pinned | None, draft: Draft, only: str) -> str:
    if pinned is None:
        return "none"
    out = draft.out.get(pinned.model)
    if out is not None and out.reason in ("pattern", "excluded"):
        return "dropped"
    eligible = pinned.model in draft.offers and pinned.model == (only or pinned.model)
    return "followed" if eligible else "ineligible"


def _is_ruled_out(question: Question, draft: Draft, pinned: Pinned) -> bool:
    """Whether the pinned endpoint could be called, but not for what this request asks."""
    model = question.process.snapshot.catalogue.find(pinned.model)
    if model is None:
        return False
    known, eligible = (
        any(offer.id == pinned.endpoint_id for offer in offers)
        for offers in (model.offers, draft.offers[pinned.model])
    )
    return known and not eligible


def _followed(question: Question, draft: Draft, pin: Pin) -> Pinned | None:
    """What goes first whatever the ranking: the model the request pins, else its session's."""
    if question.rules.pin_model and (named := _last_model(question.completion)):
        model = question.process.snapshot.catalogue.find(named)
        if model is not None and model.slug in draft.offers:
            return Pinned(model.slug, draft.offers[model.slug][0].id)
    return pin.pinned if pin.state == "followed" else None


def _last_model(completion: Completion) -> str:
    for message in reversed(completion.messages):
        if message["role"] == "assistant":
            return str(message.get("model") or "")
    return ""


def _choice(question: Question, draft: Draft, first: Pinned | None) -> Choice:
    """The endpoints to try; without fallbacks one, or those of a model that the request lists."""
    wanted = question.completion.provider
    most = MOST_ATTEMPTS if wanted.allow_fallbacks or wanted.order else 1
    choice = question.process.health.choose(_offers_in_order(draft, first, most), most)
    if wanted.allow_fallbacks:
        return choice
    model = choice.offers[0].model
    return replace(choice, offers=tuple(one for one in choice.offers if one.model == model))


def _offers_in_order(draft: Draft, first: Pinned | None, most: int) -> Iterator[Offer]:
    """The pinned endpoint, then its model's others, then every other model's in order.

    Where at most one may be called, it is the first of its model: no other stands in for it.
    """
    order = draft.order
    if first is not None:
        order = [first.model, *(slug for slug in order if slug != first.model)]
    for slug in order:
        offers = draft.offers[slug]
        if first is not None and slug == first.model:
            offers = tuple(sorted(offers, key=lambda offer: offer.id != first.endpoint_id))
        yield from offers[:1] if most == 1 else offers


def _receipt(question: Question, draft: Draft, pin: Pin, choice: Choice) -> dict[str, Any]:
    completion = question.completion
    cooling = {one.offer.model for one in choice.skipped} - {one.model for one in choice.offers}
    is_cooling = pin.state == "followed" and pin.pinned and pin.pinned.model in cooling
    receipt = {
        "version": VERSION,
        "requested": completion.requested,
        "strategy": _strategy(completion),
        "sticky": {
            "kind": completion.session.kind,
            "state": "cooling" if is_cooling else pin.state,
            "model": pin.pinned.model if pin.pinned else None,
        },
        "analysis": _analysis(question.seen),
        "out": [
            {"model": slug, "reason": out.reason, "detail": out.detail}
            for slug, out in draft.out.items()
        ],
    }
    if choice.skipped or choice.last_resort:
        receipt["skipped"] = [one.receipt() for one in choice.skipped[:MOST_SKIPPED_TOLD]]
        receipt["last_resort"] = choice.last_resort
    if AUTO not in completion.models:
        return receipt
    if cooling:
        receipt["cooling"] = sorted(cooling)
    receipt["chosen"] = choice.offers[0].model
    receipt["candidates"] = candidates.store(draft.ranked)
    return receipt | question.rules.receipt()


def _strategy(completion: Completion) -> str:
    if len(completion.models) > 1:
        return "fallback"
    return "auto" if completion.requested == AUTO else "direct"


def _analysis(seen: Analysis) -> dict[str, Any]:
    likely = sorted(seen.tasks, key=seen.tasks.__getitem__, reverse=True)[:3]
    return {
        "task": likely[0],
        "tasks": {task: round(seen.tasks[task], 3) for task in likely},
        "complexity": seen.complexity,
        "difficulty": round(seen.difficulty, 2),
        "prompt_tokens": seen.prompt_tokens,
        "output_tokens": round(seen.output_tokens),
        "language": seen.language,
        "needs": sorted(seen.capabilities),
        "housekeeping": seen.housekeeping,
    }
