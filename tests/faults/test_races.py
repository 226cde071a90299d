"""What happens when two things happen at once, or one thing does not happen at all."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from activity.database import Database
from activity.models import Attempt, Generation
from routing import snapshot
from routing.models import Price, Provider
from tests.conftest import Api, FakeProvider, chunk, completion_json, unread, usage_chunk
from tests.faults.client import LeavingClient
from tests.routing.stories import offer, row_of

pytestmark = pytest.mark.slow

FALLBACK = {"model": "a/one", "models": ["b/two"]}


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another connection brings about; it takes milliseconds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - PostgreSQL brings it about, no event of ours
            await asyncio.sleep(0.01)


@contextmanager
def hung(backend: Database) -> Iterator[Path]:
    """A database that keeps its connection and answers nothing, as one whose disk hangs."""
    pid = backend._pq.backend_pid
    process = Path(f"/proc/{pid}")
    # On another machine the number would name a stranger.
    if not backend._pq.host.startswith(b"/") or not process.exists():
        pytest.skip("the database runs elsewhere, so its backend cannot be stopped")
    try:
        os.kill(pid, signal.SIGSTOP)
    except PermissionError:
        pytest.skip("the backend runs as another user, whom only root may stop")
    try:
        yield process
    finally:
        os.kill(pid, signal.SIGCONT)


def writer_backend(api: Api) -> Database:
    found = api.process.writer._database
    assert found is not None
    return found


class Rows:
    """Holds the generations, so that whoever writes one waits."""

    def __init__(self) -> None:
        given = connection.get_connection_params()
        names = ("host", "port", "dbname", "user", "password")
        self._holder = psycopg.connect(**{name: given[name] for name in names if name in given})

    def hold(self) -> None:
        self._holder.execute("LOCK TABLE activity_generation")

    def release(self) -> None:
        self._holder.rollback()

    def keep_waiting(self, how_many: int = 1) -> bool:
        waiting = "SELECT 1 FROM pg_locks WHERE NOT granted"
        return len(self._holder.execute(waiting).fetchall()) >= how_many

    def end(self, backend: Database) -> None:
        """Break a connection, as a restart of the database does."""
        self._holder.execute("SELECT pg_terminate_backend(%s)", [backend._pq.backend_pid])

    def close(self) -> None:
        self._holder.close()


@pytest.fixture
def rows(async_db: None) -> Iterator[Rows]:
    rows = Rows()
    yield rows
    rows.close()


def while_held(rows: Rows, status: int, **response: Any) -> Callable[[], httpx.Response]:
    """A reply after which no generation can be written."""

    def reply() -> httpx.Response:
        rows.hold()
        return unread(status, **response)

    return reply


async def test_a_hung_database_is_a_503_and_leaves_nothing_open(
    api: Api, provider: FakeProvider
) -> None:
    await offer(api, {"slug": "a/one"})
    await api.complete()

    with hung(writer_backend(api)):
        async with asyncio.timeout(3):
            refused = await api.complete()
    await api.process.writer._flush()

    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
    assert len(provider.requests) == 1
    assert not await Generation.objects.open().aexists()
    assert not await Attempt.objects.filter(status="open").aexists()


async def test_a_database_that_hung_for_long_leaves_nothing_open(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activity.writer.COMMIT_SECONDS", 0.2)
    monkeypatch.setattr("activity.writer.INTENT_SECONDS", 0.1)
    await offer(api, {"slug": "a/one"})
    await api.complete()

    with hung(writer_backend(api)) as given_up:
        async with asyncio.timeout(20):
            await api.complete()
            await api.process.writer._flush()
    await until(lambda: not given_up.exists())

    assert not await Generation.objects.open().aexists()
    assert not await Attempt.objects.filter(status="open").aexists()


async def test_a_hung_read_of_the_session_is_a_503(api: Api, provider: FakeProvider) -> None:
    await offer(api, {"slug": "a/one"})
    await api.complete()
    (reader,) = api.process._reads._idle

    with hung(reader):
        async with asyncio.timeout(3):
            refused = await api.complete()

    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
    assert len(provider.requests) == 1
    assert await Generation.objects.acount() == 1


async def test_an_attempt_recorded_too_late_does_not_stay_open(
    api: Api, provider: FakeProvider, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activity.writer.INTENT_SECONDS", 0.1)
    monkeypatch.setattr("activity.writer.SETTLE_SECONDS", 0.1)
    await offer(api, {"slug": "a/one", "provider": "down"}, {"slug": "b/two"})
    provider._replies["down"] = [while_held(rows, 503)]

    refused = await api.complete(**FALLBACK)
    rows.release()
    await api.process.writer._flush()

    assert refused.status_code == 503
    assert (await row_of(refused)).status == "failed"
    assert not await Attempt.objects.filter(status="open").aexists()


class SlowClient(LeavingClient):
    """Takes the parts of its answer one by one, and its time for each."""

    async def _send(self, message: dict[str, Any]) -> None:
        await super()._send(message)
        await asyncio.sleep(0.004)


async def test_a_slow_client_gets_the_whole_answer(
    api: Api, provider: FakeProvider, settings: Any
) -> None:
    settings.AUTOROUTER_NEXT_BYTE_SECONDS = 0.2
    await offer(api, {"slug": "a/one"})
    words = [chunk(f"w{number} ") for number in range(200)]
    provider.reply(events=[*words, chunk(finish_reason="stop"), usage_chunk(100, 400), "[DONE]"])
    client = SlowClient(api, {"model": "a/one", "stream": True}, None)

    await client.run()

    row = await Generation.objects.aget()
    assert (row.status, row.completion_tokens) == ("completed", 400)
    assert row.cost > 0
    assert b"".join(client.parts).count(b'"content":"w') == 200


async def test_a_client_slower_than_the_provider_may_be_gets_the_whole_answer(
    api: Api, provider: FakeProvider, settings: Any
) -> None:
    settings.AUTOROUTER_NEXT_BYTE_SECONDS = 0.1
    await offer(api, {"slug": "a/one"})
    words = [chunk(f"w{number} ") for number in range(100)]
    provider.reply(events=[*words, chunk(finish_reason="stop"), usage_chunk(100, 400), "[DONE]"])
    client = PausingClient(api, {"model": "a/one", "stream": True}, None)

    await client.run()

    assert (await Generation.objects.aget()).status == "completed"
    assert b"".join(client.parts).count(b'"content":"w') == 100


class PausingClient(LeavingClient):
    """Looks away once, for longer than a provider may be silent."""

    async def _send(self, message: dict[str, Any]) -> None:
        await super()._send(message)
        await asyncio.sleep(0.3 if len(self.parts) == 1 else 0)


async def stop_while_settling(api: Api, provider: FakeProvider, rows: Rows) -> httpx.Response:
    """The answer to a request whose settlement breaks, and is cancelled as by drain."""
    await offer(api, {"slug": "a/one"})
    provider._replies["up"] = [while_held(rows, 200, json=completion_json())]
    asking = asyncio.create_task(api.complete())
    await until(rows.keep_waiting)
    [exchange] = api.process.exchanges
    exchange.cancel()
    rows.end(writer_backend(api))
    rows.release()
    response = await asking
    await api.process.writer._flush()
    return response


async def test_a_process_that_stops_keeps_the_settlement_on_its_way(
    api: Api, provider: FakeProvider, rows: Rows
) -> None:
    await stop_while_settling(api, provider, rows)

    row = await Generation.objects.aget()
    assert (row.status, row.completion_tokens, row.error_code) == ("completed", 5, None)
    assert row.cost == Decimal("0.00002")


async def test_a_process_that_stops_hands_over_what_it_charges(
    api: Api, provider: FakeProvider, rows: Rows
) -> None:
    response = await stop_while_settling(api, provider, rows)

    assert response.status_code == 200, response.text
    assert response.json()["choices"][0]["message"]["content"] == "Hello there"


async def test_who_leaves_while_a_fallback_is_recorded_causes_no_call(
    api: Api, provider: FakeProvider, rows: Rows
) -> None:
    await offer(api, {"slug": "a/one", "provider": "down"}, {"slug": "b/two"})
    provider._replies["down"] = [while_held(rows, 503)]
    client = LeavingClient(api, FALLBACK | {"stream": True}, None)

    asking = asyncio.create_task(client.run())
    await until(rows.keep_waiting)
    client.left.set()
    await asking
    exchanges = set(api.process.exchanges)
    rows.release()
    await asyncio.wait(exchanges)

    row = await Generation.objects.aget()
    assert (row.status, row.cost) == ("cancelled", Decimal(0))
    assert [request.url.host for request in provider.requests] == ["down.example.com"]
    assert not await Attempt.objects.filter(status="open").aexists()


class Silence(httpx.AsyncByteStream):
    """A stream that has begun and says nothing."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""


def silent() -> httpx.Response:
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Silence())


async def test_the_total_deadline_holds_over_all_attempts(
    api: Api, provider: FakeProvider, settings: Any
) -> None:
    settings.AUTOROUTER_TOTAL_SECONDS = 0.5
    settings.AUTOROUTER_FIRST_BYTE_SECONDS = 0.4
    await offer(
        api, *({"slug": f"{name}/m", "provider": f"p{name}"} for name in ("one", "two", "three"))
    )
    provider._replies |= {"pone": [silent], "ptwo": [silent], "pthree": [silent]}

    response = await api.complete(model="one/m", models=["two/m", "three/m"], stream=True)

    assert response.status_code == 504
    row = await row_of(response)
    assert row.status == "failed"
    assert row.latency_ms < 1000


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Reads of the catalogue fail while "fail" is true; "failed" counts them."""
    seen = {"failed": 0, "fail": False}
    read = snapshot.catalog.read_catalogue

    def noted() -> Any:
        if seen["fail"]:
            seen["failed"] += 1
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return read()

    monkeypatch.setattr(snapshot.catalog, "read_catalogue", noted)
    return seen


async def test_a_catalogue_that_could_not_be_read_is_read_again(
    api: Api, reads: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "OLDEST_UNHEARD_SECONDS", 0.1)
    await offer(api, {"slug": "a/one"})
    reads["fail"] = True
    api.process.snapshot.drop()
    await until(lambda: reads["failed"])

    reads["failed"] = 0
    await Provider.objects.aupdate(enabled=False)
    await until(lambda: reads["failed"])
    meanwhile = await api.complete(model="a/one")
    reads["fail"] = False
    await until(lambda: not api.process.snapshot.catalogue.models["a/one"].offers)
    after = await api.complete(model="a/one")

    assert (meanwhile.status_code, after.status_code) == (200, 404)


async def test_a_price_comes_into_force_when_its_time_comes(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "OLDEST_HEARD_SECONDS", 0.1)
    await offer(api, {"slug": "a/one"})
    endpoint_id = api.process.snapshot.catalogue.models["a/one"].offers[0].id
    soon = timezone.now() + timedelta(seconds=0.7)
    later = {"prompt": Decimal(7), "completion": Decimal(8), "valid_from": soon}

    await Price.objects.acreate(endpoint_id=endpoint_id, **later)
    await api.refresh()

    def prompt_price() -> Decimal:
        return api.process.snapshot.catalogue.models["a/one"].offers[0].rates.prompt

    assert prompt_price() == Decimal("0.000001")
    await until(lambda: prompt_price() == 7)


HUGE = "9" * 5000
ODD_REFUSALS = [
    {"status": 429, "headers": {"retry-after": HUGE}},
    {"json": {"error": {"code": "²"}}},
    {"json": {"error": {"code": HUGE}}},
]


@pytest.mark.parametrize("refusal", ODD_REFUSALS, ids=["retry-after", "superscript", "huge code"])
async def test_an_odd_number_of_a_provider_does_not_break_the_fallback(
    api: Api, provider: FakeProvider, refusal: dict[str, Any]
) -> None:
    await offer(api, {"slug": "a/one", "provider": "down"}, {"slug": "b/two"})
    provider.reply("down", **refusal)

    response = await api.complete(**FALLBACK)

    assert response.json()["model"] == "b/two"


@pytest.mark.parametrize(
    "fields",
    [
        {"provider": {"max_price": {"prompt": "1e-100000000"}}},
        {"provider": {"max_price": {"completion": "0e-100000000"}}},
        {"provider": {"max_price": {"request": "1e100000000"}}},
        {"top_k": 1e300},
    ],
    ids=["tiny", "zero", "huge", "top_k"],
)
async def test_a_number_that_is_short_to_send_is_short_to_refuse(
    api: Api, provider: FakeProvider, fields: dict[str, Any]
) -> None:
    await offer(api, {"slug": "a/one", "supported_parameters": ["max_tokens", "top_k"]})

    refused = await api.complete(**fields)

    assert refused.status_code == 400
    assert len(refused.content) < 500
    assert provider.requests == []
