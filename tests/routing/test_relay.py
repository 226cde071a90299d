"""An exchange from its intent to its settlement, whatever happens around it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

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
    """A stream that says a word, and then nothing."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield sse([chunk("Hello")])
        await asyncio.Event().wait()


async def test_silence_after_the_first_word_ends_the_answer(
    api: Api, provider: FakeProvider, settings: Any
) -> None:
    settings.AUTOROUTER_NEXT_BYTE_SECONDS = 0.1
    await offer(api, {"slug": "a/one"})
    provider._replies["up"] = [lambda: httpx.Response(200, headers=STREAM, stream=Stuck())]

    async with asyncio.timeout(5):
        response = await api.complete(stream=True)

    assert events_of(response)[-2]["error"]["code"] == 504


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
