"""Which endpoints can serve a request at all; for each that cannot, the first reason why."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from routing.catalog import Model, Offer
from routing.completion import Completion
from routing.engine.conversation import Conversation
from routing.preferences import ProviderPreferences
from routing.pricing import plain

MILLION = Decimal(1_000_000)
# Parameters that go by another name in a model's list.
LISTED_AS = {
    "reasoning": ("reasoning", "reasoning_effort"),
    "reasoning_effort": ("reasoning_effort", "reasoning"),
    "tool_choice": ("tool_choice", "tools"),
    "parallel_tool_calls": ("parallel_tool_calls", "tools"),
}
# Every endpoint takes these, or they are ours to see to.
ALWAYS = frozenset({"n", "modalities", "cache_control"})


@dataclass(frozen=True, slots=True)
class Out:
    """Why a model cannot serve a request: a word for programs, a sentence for people."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Needs:
    """What a request needs of a model."""

    inputs: frozenset[str]
    outputs: frozenset[str]
    parameters: frozenset[str]
    prompt_tokens: int
    max_tokens: int | None
    strict_output: bool = True

    def leniently(self) -> "Needs":
        """The same, with an answer as long as the model can give."""
        return Needs(
            self.inputs, self.outputs, self.parameters, self.prompt_tokens, self.max_tokens, False
        )


def needs_of(completion: Completion, conversation: Conversation) -> Needs:
    asked = completion.parameters
    parameters = {"tools"} if completion.tools else set()
    if completion.response_format != "text":
        structured = completion.response_format == "json_schema"
        parameters.add("structured_outputs" if structured else "response_format")
    if completion.provider.require_parameters:
        parameters |= asked.keys() - ALWAYS - {"response_format", "tools"}
    return Needs(
        inputs=frozenset(conversation.attachments),
        outputs=frozenset(asked.get("modalities", ())) - {"text"},
        parameters=frozenset(parameters),
        prompt_tokens=conversation.prompt_tokens,
        max_tokens=completion.max_tokens,
    )


def offers_for(
    model: Model,
    needs: Needs,
    preferences: ProviderPreferences,
    speed: Callable[[Offer], float],
) -> tuple[Offer, ...] | Out:
    """The endpoints of a model that can serve a request, best first, or why there is none.

    speed orders them where the preferences ask for latency or throughput.
    """
    if not model.offers:
        return Out("no_endpoint", model.unusable)
    if not needs.inputs <= model.input_modalities:
        missing = sorted(needs.inputs - model.input_modalities)
        return Out("modality", f"It does not read {' and '.join(missing)}.")
    if not needs.outputs <= model.output_modalities:
        missing = sorted(needs.outputs - model.output_modalities)
        return Out("modality", f"It does not produce {' and '.join(missing)}.")
    outs = [_out(offer, needs, preferences) for offer in model.offers]
    usable = tuple(offer for offer, out in zip(model.offers, outs, strict=True) if out is None)
    if not usable:
        return next(out for out in outs if out is not None)
    return _ordered(usable, preferences, speed)


def _out(offer: Offer, needs: Needs, preferences: ProviderPreferences) -> Out | None:
    if not _is_accepted(offer, preferences):
        return Out("provider", f"The request does not accept {offer.provider_name}.")
    if missing := [p for p in needs.parameters if not _supports(offer, p)]:
        return _missing_parameter(sorted(missing))
    cap = offer.longest_answer
    if needs.strict_output and needs.max_tokens and needs.max_tokens > cap:
        return Out("max_output", f"It answers with at most {cap:,} tokens.")
    # Where the answer is clamped anyway, to what its endpoint can give, any room will do.
    answer = (needs.max_tokens or 1) if needs.strict_output else 1
    if needs.prompt_tokens + answer > offer.context_length:
        size = f"{needs.prompt_tokens:,} prompt tokens and the answer"
        return Out("context", f"{size} exceed its context of {offer.context_length:,} tokens.")
    return _too_dear(offer, needs, preferences)


def _missing_parameter(missing: list[str]) -> Out:
    known = {
        "tools": "It does not call tools.",
        "response_format": "It cannot be told to answer in JSON.",
        "structured_outputs": "It cannot be held to a JSON schema.",
    }
    if missing[0] in known:
        return Out(missing[0], known[missing[0]])
    return Out("parameters", f"It does not support {', '.join(missing)}.")


def _supports(offer: Offer, parameter: str) -> bool:
    names = LISTED_AS.get(parameter, (parameter,))
    return any(name in offer.supported_parameters for name in names)


def _is_accepted(offer: Offer, preferences: ProviderPreferences) -> bool:
    if not (preferences.only or preferences.order or preferences.ignore):
        return True
    names = {offer.provider, offer.provider_name.lower()}
    if preferences.only and names.isdisjoint(preferences.only):
        return False
    if (
        preferences.order
        and not preferences.allow_fallbacks
        and names.isdisjoint(preferences.order)
    ):
        return False
    return names.isdisjoint(preferences.ignore)


def _too_dear(offer: Offer, needs: Needs, preferences: ProviderPreferences) -> Out | None:
    if not preferences.has_ceiling:
        return None
    rates = offer.rates.for_prompt(needs.prompt_tokens)
    ceilings = (
        ("prompt", rates.prompt * MILLION, "million tokens", preferences.max_prompt_price),
        (
            "completion",
            rates.completion * MILLION,
            "million tokens",
            preferences.max_completion_price,
        ),
        ("request", offer.request_price, "request", preferences.max_request_price),
    )
    for name, price, unit, ceiling in ceilings:
        if ceiling is not None and price > ceiling:
            priced = f"Its {name} price of ${plain(price)} per {unit}"
            return Out("max_price", f"{priced} exceeds the max_price of ${plain(ceiling)}.")
    return None


def _ordered(
    offers: tuple[Offer, ...],
    preferences: ProviderPreferences,
    speed: Callable[[Offer], float],
) -> tuple[Offer, ...]:
    """By the request's order, then by its sort; as they came, the cheapest first, otherwise."""

    def place(offer: Offer) -> tuple[int, float]:
        listed = [
            at
            for at, name in enumerate(preferences.order)
            if name in (offer.provider, offer.provider_name.lower())
        ]
        fast = speed(offer) if preferences.by_speed else 0.0
        return min(listed, default=len(preferences.order)), fast

    if preferences.order or preferences.by_speed:
        return tuple(sorted(offers, key=place))
    return offers
