"""Which endpoints are left alone for a while, because this process saw them fail.

Nothing is shared: a failure costs each process one fallback, and then it knows. All times are of
the monotonic clock, and all that is kept is bounded.
"""

import logging
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

import httpx

from routing.catalog import Offer
from routing.failures import REFUSED_US, AttemptFailed

logger = logging.getLogger(__name__)

COOL_DOWN_SECONDS = 30.0
# A refused credential or an unknown model wants its operator; a probe looks whether they acted.
REFUSED_SECONDS = 300.0
# Where a cool-down doubles to, and all that a Retry-After is believed.
LONGEST_SECONDS = 300.0
# A probe that says nothing for so long is joined by another one.
PROBE_SECONDS = 30.0
# An endpoint that nobody had reason to try for so long starts anew.
FORGOTTEN_SECONDS = 600.0
MOST_REMEMBERED = 10_000
# Conflict and "too early": about one request's timing, not about the endpoint.
MATTERS_OF_ONE_REQUEST = frozenset({409, 425})

# As the retry budgets of Finagle and Envoy: a fifth of the last 500 requests, and enough for those
# who send few: ten at once, one a second.
REQUESTS_PER_RETRY = 5
MOST_RETRIES = 100
LEAST_RETRIES = 10
RETRIES_PER_SECOND = 1
LOG_SECONDS = 60.0


@dataclass(slots=True, eq=False)
class Turn:
    """The right of one request to try what was left alone, while all others still do."""

    until: float


@dataclass(slots=True)
class CoolDown:
    """Until when an endpoint, or all of a provider's, is left alone, and after what."""

    since: float
    until: float
    seconds: float
    after: str
    # Its provider asked for it or refuses us: not even a last resort but for the first in turn.
    firm: bool
    name: str
    turn: Turn | None = None

    @property
    def ends(self) -> float:
        return max(self.until, self.turn.until) if self.turn else self.until


@dataclass(frozen=True, slots=True)
class Failing:
    """What a failure says of its endpoint."""

    seconds: float
    after: str
    firm: bool
    # It is no matter of one request: once is enough, however well the last one went.
    certain: bool
    # It concerns the provider's address or our credential there, so all endpoints that share them.
    shared: bool
    silent: bool


class Skipped(NamedTuple):
    """An endpoint that was passed over."""

    offer: Offer
    seconds: float
    after: str
    firm: bool

    def receipt(self) -> dict[str, Any]:
        until = datetime.now(UTC) + timedelta(seconds=self.seconds)
        return {
            "model": self.offer.model,
            "provider": self.offer.provider_name,
            "until": until.isoformat(timespec="seconds"),
            "after": self.after,
        }


@dataclass(frozen=True, slots=True)
class Choice:
    """The endpoints to try, and those before them that are cooling down."""

    offers: tuple[Offer, ...]
    skipped: tuple[Skipped, ...] = ()
    # All are cooling down: health alone refuses no request.
    last_resort: bool = False
    # To be released once the request has ended.
    turn: Turn | None = None


class RetryBudget:
    """Bounds fallbacks to a fifth of recent requests, so that failures cannot multiply load."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        # Counted in requests, which are whole numbers.
        self._saved: float = LEAST_RETRIES * REQUESTS_PER_RETRY
        self._grown_at, self._logged_at = clock(), -LOG_SECONDS

    def note_request(self) -> None:
        self._saved = min(MOST_RETRIES * REQUESTS_PER_RETRY, self._saved + 1)

    def take(self) -> bool:
        """Whether one more attempt is within the budget; it is used up then."""
        now = self._clock()
        grown = self._saved + (now - self._grown_at) * RETRIES_PER_SECOND * REQUESTS_PER_RETRY
        self._saved = max(self._saved, min(grown, LEAST_RETRIES * REQUESTS_PER_RETRY))
        self._grown_at = now
        if self._saved >= REQUESTS_PER_RETRY:
            self._saved -= REQUESTS_PER_RETRY
            return True
        if now - self._logged_at >= LOG_SECONDS:
            self._logged_at = now
            logger.warning("Too many requests fail at once; some get no fallback")
        return False


class Health:
    """The cool-downs of one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.budget = RetryBudget(clock)
        self._cooling: dict[Hashable, CoolDown] = {}
        # When what answered well since it last failed did so last.
        self._good: dict[Hashable, float] = {}

    def choose(self, offers: Iterable[Offer], most: int) -> Choice:
        """The first endpoints that are not cooling down, in their order.

        One whose cool-down has ended is taken first by one request at a time, and by anyone as a
        fallback. Where all are cooling down, the one that is back first is tried all the same.
        """
        if not self._cooling:
            return Choice(tuple(islice(offers, most)))
        now = self.clock()
        chosen: list[Offer] = []
        skipped: list[Skipped] = []
        turn: Turn | None = None
        for offer in offers:
            found = self._cool_downs(offer, now)
            late = max(found, key=_ends) if found else None
            if late is not None and late.ends > now:
                skipped.append(Skipped(offer, late.ends - now, late.after, late.firm))
                continue
            if found and not chosen:
                turn = Turn(now + PROBE_SECONDS)
                for one in found:
                    one.turn = turn
            chosen.append(offer)
            if len(chosen) == most:
                break
        if chosen:
            return Choice(tuple(chosen), tuple(skipped), turn=turn)
        first, *others = sorted(skipped, key=lambda one: one.seconds)
        tried = [first, *(one for one in others if not one.firm)][:most]
        rest = tuple(one for one in skipped if one not in tried)
        return Choice(tuple(one.offer for one in tried), rest, last_resort=True)

    def succeeded(self, offer: Offer, began: float) -> None:
        """A call answered well; it ends the cool-downs that it began after."""
        keys = _keys(offer)
        if len(self._good) >= MOST_REMEMBERED:
            self._good.clear()
        self._good[keys[0]] = self._good[keys[1]] = self.clock()
        for key in keys if self._cooling else ():
            cooling = self._cooling.get(key)
            if cooling is not None and began >= cooling.since:
                del self._cooling[key]
                logger.warning("%s is back after %s", cooling.name, cooling.after)

    def failed(self, offer: Offer, failure: AttemptFailed, began: float) -> None:
        """A call failed. One that may be the request's fault counts from the second in a row."""
        failing = _failing(failure)
        if failing is None:
            return
        endpoint, provider = _keys(offer)
        is_shared = failing.shared and provider not in self._good
        answered = self._good.pop(endpoint, None)
        self._good.pop(provider, None)
        # An endpoint that answers others meanwhile is not silent: this request takes long.
        is_slow = failing.silent and answered is not None and answered >= began
        is_doubtful = is_slow or (answered is not None and not failing.certain)
        if is_shared:
            self._cool(provider, offer.provider_name, failing, began)
        elif not is_doubtful:
            self._cool(endpoint, f"{offer.model} at {offer.provider_name}", failing, began)

    def release(self, turn: Turn | None) -> None:
        """End the turn of a request, whatever it found; the next one may try."""
        if turn is not None:
            turn.until = 0.0

    def _cool(self, key: Hashable, name: str, failing: Failing, began: float) -> None:
        now, seconds = self.clock(), failing.seconds
        before = self._cooling.get(key)
        if before is None:
            if len(self._cooling) >= MOST_REMEMBERED:
                self._cooling.clear()
            logger.warning("%s is left alone for %.0f s after %s", name, seconds, failing.after)
        elif began < before.since or now < before.until:
            # Called before it was known, or as a last resort: no news but a longer Retry-After.
            if failing.firm:
                before.until = max(before.until, now + seconds)
            return
        elif not failing.firm:
            seconds = min(2 * before.seconds, LONGEST_SECONDS)
        after, firm = failing.after, failing.firm
        self._cooling[key] = CoolDown(now, now + seconds, seconds, after, firm, name)

    def _cool_downs(self, offer: Offer, now: float) -> list[CoolDown]:
        found = []
        for key in _keys(offer):
            cooling = self._cooling.get(key)
            if cooling is not None and now - cooling.ends > FORGOTTEN_SECONDS:
                del self._cooling[key]
            elif cooling is not None:
                found.append(cooling)
        return found


def _ends(cooling: CoolDown) -> float:
    return cooling.ends


def _keys(offer: Offer) -> tuple[Hashable, Hashable]:
    """An endpoint and its provider as set up now: what the operator changes starts anew."""
    provider = (offer.base_url, offer.credential)
    return (offer.id, offer.upstream_model, provider), provider


def _failing(failure: AttemptFailed) -> Failing | None:
    """What a failure says of its endpoint; None where it is the request's, or our own."""
    status = failure.http_status
    ours = isinstance(failure.__cause__, httpx.PoolTimeout)
    if ours or not failure.retryable or status in MATTERS_OF_ONE_REQUEST:
        return None
    is_refused = status in REFUSED_US
    is_unreachable = status is None and not failure.billed
    seconds = REFUSED_SECONDS if is_refused else failure.retry_after or COOL_DOWN_SECONDS
    return Failing(
        seconds=min(seconds, LONGEST_SECONDS),
        after=_after(failure, is_unreachable=is_unreachable),
        firm=is_refused or failure.retry_after is not None,
        certain=is_unreachable or status == 401 or failure.status in (429, 503, 504),
        shared=is_unreachable or status == 401,
        silent=status is None and failure.status == 504,
    )


def _after(failure: AttemptFailed, *, is_unreachable: bool) -> str:
    if failure.http_status not in (None, 200):
        return f"HTTP {failure.http_status}"
    if failure.status in (429, 503):
        return f"error {failure.status} in an answer"
    if failure.status == 504:
        return "no answer in time"
    return "no connection" if is_unreachable else "a broken answer"
