"""An exchange from its intent to its settlement, whatever happens around it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from activity.models import Attempt, Generation
from routing import relay
from routing.models import Price
from tests.conftest import (
    Api,
    FakeProvider,
    chunk,
    completion_json,
    events_of,
    sse,
    unread,
    usage_chunk,
)
from tests.faults.client import LeavingClient
from tests.faults.test_races import FALLBACK, Rows, silent, until
from tests.routing.stories import offer, row_of

STREAM = {"content-type": "text/event-stream"}


@pytest.fixture
def rows(async_db: None) -> Iterator[Rows]:
    rows = Rows()
    yield rows
    rows.close()


async def test_no_provider_is_called_before_the_intent_is_committed(
    api: Api, provider: FakeProvider, rows: Rows
) -> None:
    await offer(api, {"slug": "a/one"})

    rows.hold()
    asking = asyncio.create_task(api.complete())
    await until(rows.keep_waiting)
    asked_meanwhile = len(provider.requests)
    rows.release()
    await asking

    assert (asked_meanwhile, len(provider.requests)) == (0, 1)


async def test_an_answer_that_began_never_changes_hands(api: Api, provider: FakeProvider) -> None:
    await offer(api, {"slug": "a/one", "provider": "down"}, {"slug": "b/two"})
    provider.reply("down", events=[chunk("Hello")])

    response = await api.complete(**FALLBACK, stream=True)

    assert [request.url.host for request in provider.requests] == ["down.example.com"]
    assert events_of(response)[-2]["error"]["code"] == 502


class Stuck(httpx.AsyncByteStream):
    """A stream that says a word, or these events, and then nothing, or breaks."""

    def __init__(self, *events: dict[str, Any], breaks: bool = False) -> None:
        self._events, self._breaks = events or (chunk("Hello"),), breaks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield sse([*self._events])
        if self._breaks:
            raise httpx.ReadError("reset")
        await asyncio.Event().wait()


def stuck(*events: dict[str, Any], **how: bool) -> Callable[[], httpx.Response]:
    return lambda: httpx.Response(200, headers=STREAM, stream=Stuck(*events, **how))


async def test_silence_after_the_first_word_ends_the_answer(
    api: Api, provider: FakeProvider, settings: Any
) -> None:
    settings.AUTOROUTER_NEXT_BYTE_SECONDS = 0.1
    await offer(api, {"slug": "a/one"})
    provider._replies["up"] = [stuck()]

    async with asyncio.timeout(5):
        response = await api.complete(stream=True)

    assert events_of(response)[-2]["error"]["code"] == 504


@pytest.mark.parametrize("breaks", [False, True], ids=["silent", "broken"])
async def test_an_answer_that_finished_is_whole_whatever_its_connection_does(
    api: Api, provider: FakeProvider, settings: Any, breaks: bool
) -> None:
    settings.AUTOROUTER_NEXT_BYTE_SECONDS = 0.1
    await offer(api, {"slug": "a/one"})
    whole = (chunk("Hello"), chunk(finish_reason="stop"), usage_chunk(10, 5))
    provider._replies["up"] = [stuck(*whole, breaks=breaks)]

    async with asyncio.timeout(5):
        response = await api.complete(stream=True)

    *_, last, end = events_of(response)
    assert (last["usage"]["completion_tokens"], end) == (5, "[DONE]")
    row = await row_of(response)
    assert (row.status, row.cost) == ("completed", Decimal("0.00002"))


class OneByOne(Stuck):
    """The same, each event by itself."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for event in self._events:
            yield sse([event])
        await asyncio.Event().wait()


class SlowClient(LeavingClient):
    """Takes nothing until it is told to."""

    def __init__(self, api: Api, body: dict[str, Any]) -> None:
        super().__init__(api, body, None)
        self.takes = asyncio.Event()

    async def _send(self, message: dict[str, Any]) -> None:
        await self.takes.wait()
        await super()._send(message)


async def settled_row() -> Generation:
    async with asyncio.timeout(10):
        while not (row := await Generation.objects.finished().afirst()):  # noqa: ASYNC110 - a row, no event
            await asyncio.sleep(0.05)
        return row


async def test_a_finish_that_the_client_was_not_handed_is_none(
    api: Api, provider: FakeProvider, settings: Any
) -> None:
    settings.AUTOROUTER_TOTAL_SECONDS = 1
    await offer(api, {"slug": "a/one"})
    # One part is on its way, the queue is full, and the last one waits.
    said = [chunk("word ")] * (1 + relay.QUEUE_PARTS) + [chunk("end", "stop")]
    answer = httpx.Response(200, headers=STREAM, stream=OneByOne(*said))
    provider._replies["up"] = [lambda: answer]
    client = SlowClient(api, {"model": "a/one", "stream": True})

    running = asyncio.create_task(client.run())
    row = await settled_row()
    client.takes.set()
    await running

    assert (row.status, row.error_type, row.cost) == ("failed", "timeout", 0)
    assert b'"error"' in b"".join(client.parts)


async def test_who_leaves_pays_for_what_was_said_since_the_last_report(
    api: Api, provider: FakeProvider
) -> None:
    await offer(api, {"slug": "a/one"})
    # As providers do that report what they have read before they begin to write.
    provider._replies["up"] = [stuck(usage_chunk(100, 0), chunk("word " * 80))]
    client = LeavingClient(api, {"model": "a/one", "stream": True}, 1)

    await client.run()
    await asyncio.wait(api.process.exchanges)

    row = await Generation.objects.aget()
    assert (row.status, row.prompt_tokens, row.completion_tokens) == ("cancelled", 100, 100)
    assert (row.usage_source, row.cost) == ("estimated", Decimal("0.0003"))


DEEP = b'{"content": "Hi", "x": %b}' % (b"[" * 400 + b"]" * 400)
TOO_DEEP = {
    False: b'{"choices": [{"message": %b, "finish_reason": "stop"}]}' % DEEP,
    True: b'data: {"choices": [{"delta": %b}]}\n\n' % DEEP,
}


@pytest.mark.parametrize("stream", TOO_DEEP)
async def test_what_cannot_be_passed_on_is_a_fault_of_its_provider(
    api: Api, provider: FakeProvider, stream: bool
) -> None:
    await offer(api, {"slug": "a/one", "provider": "down"}, {"slug": "b/two"})
    headers = STREAM if stream else {}
    provider.reply("down", content=TOO_DEEP[stream], headers=headers)

    response = await api.complete(**FALLBACK, stream=stream)

    assert (response.status_code, (await row_of(response)).routed_model) == (200, "b/two")
    statuses = [attempt.status async for attempt in Attempt.objects.order_by("number")]
    assert statuses == ["failed", "succeeded"]


async def test_an_exchange_that_is_cancelled_is_settled(api: Api, provider: FakeProvider) -> None:
    await offer(api, {"slug": "a/one"})
    provider._replies["up"] = [silent]

    asking = asyncio.create_task(api.complete(stream=True))
    await until(lambda: bool(provider.requests))
    [exchange] = api.process.exchanges
    exchange.cancel()
    response = await asking

    assert response.status_code == 503
    assert (await row_of(response)).status == "failed"


class Dearer(httpx.AsyncByteStream):
    """An answer during which the price goes up."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield sse([chunk("Hello")])
        [endpoint] = self._api.process.snapshot.catalogue.models["a/one"].offers
        await Price.objects.acreate(endpoint_id=endpoint.id, prompt=7, completion=8)
        await self._api.refresh()
        yield sse([chunk(finish_reason="stop"), usage_chunk(10, 5), "[DONE]"])


async def test_a_price_that_changes_meanwhile_is_for_the_next(
    api: Api, provider: FakeProvider
) -> None:
    await offer(api, {"slug": "a/one"})
    dearer = httpx.Response(200, headers=STREAM, stream=Dearer(api))
    provider._replies["up"] = [lambda: dearer, lambda: unread(200, json=completion_json())]

    during = await row_of(await api.complete(stream=True))
    after = await row_of(await api.complete())

    assert (during.cost, after.cost) == (Decimal("0.00002"), Decimal(110))
