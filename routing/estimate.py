"""What a request may cost at most: reserved before it is sent, and enforced by max_tokens."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from activity.ledger import BudgetExceeded
from routing import errors, pricing, usage
from routing.catalog import Offer
from routing.completion import Completion

# Role and separators of a message, in every vocabulary of the pool's models.
TOKENS_PER_MESSAGE = 16
# What providers add to a prompt with tools; Anthropic documents up to 700 tokens for its models.
TOKENS_OF_TOOLS = 1000
# Providers scale images down: 3072 x 3072 at Gemini's 258 tokens a tile of 768 x 768.
TOKENS_PER_IMAGE = 4128
# Of an address we do not know the size behind it; an endpoint's context ends the rest.
TOKENS_PER_ADDRESS = 1_000_000
# A request without max_tokens is let in when at least so short an answer can be paid for.
LEAST_ANSWER_TOKENS = 256
# One without max_tokens gets room for so long an answer, and for more out of a share of what is
# left: a reservation of the longest answer there is would let one request run at a time.
LONG_ANSWER_TOKENS = 8192
RETRY_SECONDS = 2
LONGEST_SCHEME = 8


class Budget(NamedTuple):
    """The most a request may cost, what a long answer to it does, and the least to let it in."""

    estimate: Decimal
    ample: Decimal
    minimum: Decimal


# Nothing is reserved for who has no limit, so nothing is worked out.
UNLIMITED = Budget(Decimal(0), Decimal(0), Decimal(0))


def prompt_bound(completion: Completion) -> int:
    """The most tokens that a prompt can be: a token has at least one byte of the body.

    Images count by what they are scaled down to, other attachments by their bytes.
    """
    parts = [part for message in completion.messages for part in _parts(message)]
    images = [part for part in parts if part["type"] == "image_url"]
    addresses = [part for part in parts if part["type"] != "image_url" and _is_address(part)]
    return (
        completion.prompt_bytes
        - sum(len(_picture(part)) for part in images)
        + TOKENS_PER_IMAGE * len(images)
        + TOKENS_PER_ADDRESS * len(addresses)
        + TOKENS_PER_MESSAGE * len(completion.messages)
        + TOKENS_OF_TOOLS * bool(completion.tools)
    )


def budget(bound: int, max_tokens: int | None, offers: Sequence[Offer]) -> Budget:
    """Over all endpoints that may be tried: nothing they charge exceeds the estimate.

    Holds while endpoints keep to the max_tokens that they are sent.

    Who asks for so many tokens gets them or a refusal; without max_tokens the answer may be
    shortened to what was reserved.
    """

    def highest(most: int | None) -> Decimal:
        return max(_highest(bound, cap(most, offer), offer) for offer in offers)

    if max_tokens is not None:
        most = highest(max_tokens)
        return Budget(most, most, most)
    return Budget(highest(None), highest(LONG_ANSWER_TOKENS), highest(LEAST_ANSWER_TOKENS))


def cap(max_tokens: int | None, offer: Offer) -> int:
    """The longest answer an endpoint may give to a request, in tokens."""
    most = offer.longest_answer
    return most if max_tokens is None else min(max_tokens, most)


def answer_tokens(
    max_tokens: int | None, granted: Decimal | None, bound: int, offer: Offer, prompt_tokens: int
) -> int | None:
    """The max_tokens to send: what the request asks for, or was granted, and its endpoint can give.

    bound is the most that its prompt can be, prompt_tokens what it probably is.
    """
    if max_tokens is None and granted is None:
        return None
    most = _beside_prompt(cap(max_tokens, offer), prompt_tokens, offer)
    if max_tokens is not None:
        return most
    left = granted - _highest(bound, 0, offer)
    _, rate = pricing.dearest(min(bound, offer.context_length), offer.rates)
    affordable = most if not rate else int(left / rate)
    return max(1, min(affordable, most))


def _beside_prompt(most: int, prompt_tokens: int, offer: Offer) -> int:
    """As much of an answer as the context has room for: providers refuse what exceeds it.

    Our count of a prompt takes four bytes for a token; of code it is three. Half of the room is
    never given up for that.
    """
    room = offer.context_length - prompt_tokens
    if most <= room:
        return most
    return max(1, room - min(prompt_tokens // 3 + TOKENS_OF_TOOLS, room // 2))


def _highest(bound: int, completion_tokens: int, offer: Offer) -> Decimal:
    prompt_tokens = min(bound, offer.context_length)
    searches = usage.most_searches(offer.supported_parameters)
    return (
        pricing.highest(prompt_tokens, completion_tokens, offer.rates)
        + searches * offer.rates.web_search
    )


def _parts(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    return content if isinstance(content, list) else []


def _picture(part: Mapping[str, Any]) -> str:
    value = part["image_url"]
    address = value.get("url") if isinstance(value, dict) else value
    return address if isinstance(address, str) else ""


def _texts(part: Mapping[str, Any]) -> list[str]:
    """What an attachment says it is: its address, its data, whatever else it holds."""
    value = part[part["type"]]
    values = value.values() if isinstance(value, dict) else (value,)
    return [entry for entry in values if isinstance(entry, str)]


def _is_address(part: Mapping[str, Any]) -> bool:
    said = ("text", "refusal")
    return part["type"] not in said and any(not text.startswith("data:") for text in _sources(part))


def _sources(part: Mapping[str, Any]) -> list[str]:
    return [text for text in _texts(part) if ":" in text[:LONGEST_SCHEME]]


def refusal(refused: BudgetExceeded, wanted: Budget) -> errors.ApiError:
    """What a client is told whose key or user cannot pay for the request."""
    if refused.in_flight:
        return errors.OutOfCredit(
            "The rest of the budget is reserved by requests in flight; try again shortly.",
            retry_after=RETRY_SECONDS,
            limit_source="in_flight_budget",
        )
    if refused.left > 0:
        amounts = (
            f"${refused.left:.6f} is left, and the dearest endpoint that may be tried can cost "
            f"${wanted.minimum:.6f}"
        )
        cheaper = ", send a smaller max_tokens, or allow cheaper models alone."
    else:
        amounts, cheaper = "nothing is left", "."
    if refused.owner.startswith("key:"):
        return errors.KeyLimitExceeded(
            f"Key limit exceeded ({refused.kind} limit): {amounts}. Raise the key's limit{cheaper}",
            limit_source="key",
        )
    return errors.OutOfCredit(
        f"Insufficient credit: {amounts}. Ask the operator for more{cheaper}",
        limit_source="user",
    )
