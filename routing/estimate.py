"""What a request may cost at most: reserved before it is sent, and enforced by max_tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from activity.ledger import BudgetExceeded
from routing import errors, pricing
from routing.catalog import Offer

# The decision counts four bytes a token; a token is at least one byte, so this bounds it.
BOUND_PER_ESTIMATED_TOKEN = 4
# A request without max_tokens is let in when at least so short an answer can be paid for.
LEAST_ANSWER_TOKENS = 256
RETRY_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Budget:
    """The most a request may cost, and the least that must be left to let it in."""

    estimate: Decimal
    minimum: Decimal


def budget(prompt_tokens: int, max_tokens: int | None, offers: Sequence[Offer]) -> Budget:
    """Over all endpoints that may be tried: nothing they charge exceeds the estimate.

    Who asks for so many tokens gets them or a refusal; without max_tokens the answer may be
    shortened to what is left.
    """
    bound = prompt_tokens * BOUND_PER_ESTIMATED_TOKEN
    most = max(pricing.highest(bound, cap(max_tokens, o), o.rates) for o in offers)
    if max_tokens is not None:
        return Budget(most, most)
    least = max(
        pricing.highest(bound, min(LEAST_ANSWER_TOKENS, cap(None, o)), o.rates) for o in offers
    )
    return Budget(most, least)


def cap(max_tokens: int | None, offer: Offer) -> int:
    """The longest answer an endpoint may give to a request, in tokens."""
    most = offer.max_output_tokens or offer.context_length
    return most if max_tokens is None else min(max_tokens, most)


def answer_tokens(
    max_tokens: int | None, granted: Decimal | None, prompt_tokens: int, offer: Offer
) -> int | None:
    """The max_tokens to send: the request's within the endpoint's cap, or what was granted."""
    if max_tokens is not None:
        return cap(max_tokens, offer)
    if granted is None:
        return None
    bound = prompt_tokens * BOUND_PER_ESTIMATED_TOKEN
    left = granted - pricing.highest(bound, 0, offer.rates)
    rate = offer.rates.for_prompt(bound).completion
    affordable = cap(None, offer) if not rate else int(left / rate)
    return max(1, min(affordable, cap(None, offer)))


def refusal(refused: BudgetExceeded, wanted: Budget) -> errors.ApiError:
    """What a client is told whose key or user cannot pay for the request."""
    if refused.in_flight:
        return errors.OutOfCredit(
            "The rest of the budget is reserved by requests in flight; try again shortly.",
            retry_after=RETRY_SECONDS,
            limit_source="in_flight_budget",
        )
    amounts = f"it may cost up to ${wanted.minimum:.6f} and ${refused.left:.6f} is left"
    if refused.owner.startswith("key:"):
        return errors.KeyLimitExceeded(
            f"Key limit exceeded ({refused.kind} limit): {amounts}. Raise the key's limit, or "
            "send a smaller max_tokens.",
            limit_source="key",
        )
    return errors.OutOfCredit(
        f"Insufficient credit: {amounts}. Ask the operator for more, or send a smaller max_tokens.",
        limit_source="user",
    )
