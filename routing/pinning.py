"""What a successful answer does to the pin of its session."""

from activity.batch import Statement
from routing import sticky
from routing.catalog import Offer
from routing.decision import Decision
from routing.snapshot import Account
from routing.sticky import Pinned
from routing.usage import Usage


def pin_statements(
    account: Account, decision: Decision, offer: Offer, usage: Usage
) -> tuple[Statement, ...]:
    """Statements that ride with the settlement of a success; an error has none.

    Every success refreshes a live pin; one that this request alone could not follow stays. An
    explicit session is pinned by its first success; a fingerprint once the provider's cache was
    used and reading it is cheaper than the prompt.
    """
    pin = decision.pin
    served = Pinned(offer.model, offer.id)
    if pin.state == "off":
        return ()
    is_fallback = bool(pin.only) and offer.model != pin.only
    is_for_once = pin.state == "ineligible" or pin.elsewhere or is_fallback
    if is_for_once or decision.housekeeping:
        return (sticky.refresh(pin.key),) if pin.pinned is not None else ()
    if pin.state == "followed" or pin.explicit or _uses_cache(offer, usage):
        return (sticky.pin(pin.key, account, served, pin.pinned),)
    if pin.state == "dropped" and pin.pinned is not None:
        return (sticky.drop(pin.key, pin.pinned),)
    return ()


def _uses_cache(offer: Offer, usage: Usage) -> bool:
    rates = offer.rates
    cheaper = rates.cache_read is not None and rates.cache_read < rates.prompt
    return cheaper and usage.cached_tokens + usage.cache_write_tokens > 0
