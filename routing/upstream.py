"""The only module that calls providers."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
from django.conf import settings

from routing import failures, wire
from routing.catalog import Offer
from routing.failures import AttemptFailed
from routing.streaming import DONE, EventParser, EventTooLarge
from routing.transport import Transport

LARGEST_ANSWER_BYTES = 32 * 1024 * 1024
# Of a read that brings more, a client takes some at a time.
MOST_EVENTS = 64
LARGEST_ERROR_BYTES = 64 * 1024
# An exponential average over about the last ten answers.
NEWEST_SPEED_SHARE = 0.2


Address = tuple[Offer, httpx.URL, list[tuple[bytes, bytes]]]


class Deadline:
    """One timeout over an upstream call, moved as the call goes on.

    The first is so many seconds from now; `within` allows so many from then on, never past the
    total; `leave` ends the call at its next await. Use it as an async context manager; it raises
    TimeoutError.
    """

    def __init__(self, total_seconds: float, first_seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        self._end = now + total_seconds
        self._timeout = asyncio.timeout_at(min(self._end, now + first_seconds))
        self._entered = self.left = False

    async def __aenter__(self) -> "Deadline":
        await self._timeout.__aenter__()
        self._entered = True
        if self.left:
            self._timeout.reschedule(self._loop.time())
        return self

    async def __aexit__(self, *exception: Any) -> bool | None:
        self._entered = False
        return await self._timeout.__aexit__(*exception)

    def within(self, seconds: float) -> None:
        if not self.left and not self._timeout.expired():
            self._timeout.reschedule(min(self._end, self._loop.time() + seconds))

    def limit(self, seconds: float) -> None:
        """Bring the end of the whole call forward."""
        self._end = min(self._end, self._loop.time() + seconds)
        if self._entered:
            self.within(seconds)

    def leave(self) -> None:
        """End the call now; it is not an error of the endpoint."""
        self.left = True
        if self._entered and not self._timeout.expired():
            self._timeout.reschedule(self._loop.time())


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast an endpoint answered of late, as this process saw it."""

    first_token_ms: float
    tokens_per_second: float

    def blended(self, before: "Speed") -> "Speed":
        share = NEWEST_SPEED_SHARE
        return Speed(
            share * self.first_token_ms + (1 - share) * before.first_token_ms,
            share * self.tokens_per_second + (1 - share) * before.tokens_per_second,
        )


UNKNOWN = Speed(first_token_ms=float("inf"), tokens_per_second=0.0)


class Answer:
    """The open answer of an endpoint: a JSON object, or events."""

    def __init__(self, response: httpx.Response, deadline: Deadline) -> None:
        self._response = response
        self._deadline = deadline
        # A timer costs more than an event; it is set anew only now and then.
        self._loop, self._set_again = asyncio.get_running_loop(), 0.0
        self._patience = settings.AUTOROUTER_NEXT_BYTE_SECONDS
        self.is_stream = _header(response, b"content-type").startswith("text/event-stream")

    def wait_on(self, *, anew: bool = False) -> None:
        """Start anew the time that the endpoint has for its next byte, to a twentieth of it.

        `anew` where the deadline stood for something else meanwhile.
        """
        now = self._loop.time()
        if anew or now >= self._set_again:
            self._set_again = now + self._patience / 20
            self._deadline.within(self._patience)

    async def json(self) -> dict[str, Any]:
        """The whole answer; raises AttemptFailed where it is not a completion."""
        body = await _read(self._response, LARGEST_ANSWER_BYTES)
        try:
            answer = wire.parsed(body)
        except orjson.JSONDecodeError as error:
            raise failures.invalid("an answer that is not JSON") from error
        if not isinstance(answer, dict):
            raise failures.invalid("JSON that is not a completion")
        if answer.get("error"):
            raise failures.in_band_failure(answer["error"])
        return answer

    async def events(self) -> AsyncGenerator[list[dict[str, Any] | None], None]:
        """The events that each read brings, as JSON, None for the end mark.

        Raises AttemptFailed for any other, after what came before it. A provider that sent JSON
        instead of a stream gives one event and the end.
        """
        if not self.is_stream:
            yield [wire.as_chunk(await self.json()), None]
            return
        parser = EventParser()
        batch: list[dict[str, Any] | None] = []
        try:
            async for chunk in self._response.stream:
                self.wait_on()
                failure = _take(batch, parser, chunk)
                if batch and batch[-1] is None:
                    # The end of the answer is a read of its own, and nobody stays for it.
                    _tell(self._response, "expect_end")
                for at in range(0, len(batch), MOST_EVENTS):
                    yield batch[at : at + MOST_EVENTS]
                batch = []
                if failure is not None:
                    raise failure
        except httpx.HTTPError as error:
            raise failures.broken() from error
        if data := parser.close():
            yield [_event(data)]


class Upstream:
    """The HTTP client of a process: explicit limits, no cookies, no redirects, no proxies.

    It drives httpx's transport itself: httpx.AsyncClient would work out cookies, redirects and
    authentication for every call, which costs more than the call.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._transport = transport or Transport()
        self._speeds: dict[int, Speed] = {}
        self._addresses: dict[int, Address] = {}

    async def close(self) -> None:
        await self._transport.aclose()

    def note_speed(self, offer: Offer, first_token_ms: int, tokens_per_second: float) -> None:
        """Remember how fast an endpoint answered; recent answers weigh more."""
        new = Speed(first_token_ms, tokens_per_second)
        self._speeds[offer.id] = new.blended(self._speeds.get(offer.id, new))

    def speeds(self, sort: str) -> Callable[[Offer], float]:
        """What orders endpoints by latency or throughput, best first, unmeasured ones last."""
        if sort == "throughput":
            return lambda offer: -self._speeds.get(offer.id, UNKNOWN).tokens_per_second
        return lambda offer: self._speeds.get(offer.id, UNKNOWN).first_token_ms

    def _address(self, offer: Offer) -> tuple[httpx.URL, list[tuple[bytes, bytes]]]:
        """Where an endpoint is called and with which headers, of its newest offer alone."""
        known = self._addresses.get(offer.id)
        if known is None or known[0] is not offer:
            known = (offer, httpx.URL(f"{offer.base_url}/chat/completions"), _headers(offer))
            self._addresses[offer.id] = known
        return known[1], known[2]

    @asynccontextmanager
    async def call(
        self, offer: Offer, body: bytes, attempt_id: str, deadline: Deadline
    ) -> AsyncIterator[Answer]:
        """Send a completion to an endpoint and hand over its open answer.

        Raises AttemptFailed until the block is entered and while the answer is read. Leaving the
        block closes the connection unless the answer was read to its end. The caller has entered
        the deadline.
        """
        url, headers = self._address(offer)
        own = [*headers, (b"X-Attempt-Id", attempt_id.encode())]
        # With a stream that is ready, httpx works out nothing.
        request = httpx.Request("POST", url, headers=own, stream=httpx.ByteStream(body))
        try:
            response = await self._transport.handle_async_request(request)
        except httpx.HTTPError as error:
            raise failures.unreachable(error) from error
        try:
            await _check(response, offer)
            yield Answer(response, deadline)
        except httpx.HTTPError as error:
            raise failures.broken() from error
        except AttemptFailed as failure:
            if failure.http_status == 200:
                # What made no sense may not have been all: nothing may come after it.
                _tell(response, "abort")
            raise
        finally:
            await response.aclose()


def _headers(offer: Offer) -> list[tuple[bytes, bytes]]:
    """Ours alone: nothing of the client's headers reaches a provider."""
    headers = [
        (b"Content-Type", b"application/json"),
        (b"Accept", b"application/json, text/event-stream"),
        (b"Accept-Encoding", b"identity"),
        (b"User-Agent", b"auto-router"),
    ]
    if offer.credential:
        headers.append((b"Authorization", f"Bearer {offer.credential}".encode()))
    return headers


def _tell(response: httpx.Response, what: str) -> None:
    """Say to a connection of ours what httpx has no word for."""
    if tell := response.extensions.get(what):
        tell()


async def _check(response: httpx.Response, offer: Offer) -> None:
    if _header(response, b"content-encoding") not in ("", "identity"):
        raise failures.invalid("a compressed answer, which was not asked for")
    if response.status_code != 200:
        raise await _refusal(response, offer)


def _header(response: httpx.Response, name: bytes) -> str:
    """The first such header; httpx, which joins all of them, takes three times as long."""
    for key, value in response.headers.raw:
        if key.lower() == name:
            return value.decode("latin-1").lower()
    return ""


async def _refusal(response: httpx.Response, offer: Offer) -> AttemptFailed:
    """The failure behind a status; the body is read only where it is about the request."""
    status = response.status_code
    retry_after = response.headers.get("retry-after", "")
    seconds = int(retry_after) if failures.is_short_number(retry_after) else None
    refusal = failures.NO_REFUSAL
    if status in failures.CLIENT_ERRORS:
        with suppress(AttemptFailed):
            body = await _read(response, LARGEST_ERROR_BYTES)
            refusal = failures.read_refusal(body, offer.credential)
    return failures.of_status(status, http_status=status, retry_after=seconds, refusal=refusal)


async def _read(response: httpx.Response, most: int) -> bytes:
    chunks, size = [], 0
    try:
        async for chunk in response.stream:
            chunks.append(chunk)
            size += len(chunk)
            if size > most:
                raise failures.invalid("an answer that is too large")
    except httpx.HTTPError as error:
        raise failures.broken() from error
    return b"".join(chunks)


def _take(
    batch: list[dict[str, Any] | None], parser: EventParser, chunk: bytes
) -> AttemptFailed | None:
    """Add the events of a read to a batch; gives the failure that ends them, if one does."""
    try:
        batch.extend(map(_event, parser.feed(chunk)))
    except EventTooLarge:
        return failures.invalid("an event that is too large")
    except AttemptFailed as failure:
        return failure
    return None


def _event(data: bytes) -> dict[str, Any] | None:
    if data.strip() == DONE:
        return None
    try:
        event = wire.parsed(data)
    except orjson.JSONDecodeError as error:
        raise failures.invalid("an event that is not JSON") from error
    if not isinstance(event, dict):
        raise failures.invalid("an event that is not an object")
    if event.get("error"):
        raise failures.in_band_failure(event["error"])
    return event
