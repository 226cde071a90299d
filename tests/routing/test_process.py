import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from activity import connections
from routing.errors import RateLimited
from routing.process import Process
from routing.upstream import Upstream
from tests.conftest import FakeProvider, in_db
from tests.factories import make_generation


@pytest.fixture
def process(async_db: None, settings: Any, tmp_path: Path, provider: FakeProvider) -> Process:
    settings.VAR_DIR = tmp_path
    return Process(tmp_path / "journal", Upstream(httpx.MockTransport(provider.handle)))


async def test_closing_does_not_wait_for_a_reaper_that_looks_twice(process: Process) -> None:
    dead = await in_db(make_generation)(status="open", settled_at=None, worker=41)
    await process.start()

    started = time.monotonic()
    await process.close()

    assert time.monotonic() - started < 2
    await dead.arefresh_from_db()
    assert dead.status == "open"


async def run_for(process: Process, key_id: int) -> asyncio.Event:
    """A running exchange of that key, and what ends it."""
    ends = asyncio.Event()

    async def exchange() -> None:
        await ends.wait()

    process.run(exchange(), key_id, None)
    return ends


async def test_a_key_has_so_many_requests_at_once_and_no_more(
    process: Process, settings: Any
) -> None:
    settings.AUTOROUTER_MAX_PARALLEL = 2
    first, second = [await run_for(process, 1) for _ in range(2)]

    with pytest.raises(RateLimited) as refusal:
        await run_for(process, 1)
    others = [await run_for(process, 2) for _ in range(2)]
    first.set()
    await asyncio.sleep(0.01)
    third = await run_for(process, 1)

    assert (refusal.value.status, refusal.value.retry_after) == (429, 1)
    [ends.set() for ends in (second, third, *others)]
    await process.drain()
    assert not process._of_key


async def is_gone(other: psycopg.AsyncConnection[Any], name: str) -> bool:
    """Whether the server has no connection of that name any more, within two seconds."""
    listed = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
    deadline = time.monotonic() + 2
    while await (await other.execute(listed, [name])).fetchone() != (0,):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.01)
    return True


async def test_who_does_not_get_its_lock_leaves_no_connection(process: Process) -> None:
    async with await connections.connect("test") as holder:
        await holder.execute("SELECT pg_advisory_lock(%s)", [process.worker])

        with pytest.raises(psycopg.OperationalError) as failure:
            await process._present()

        assert await is_gone(holder, f"autorouter-listener-{process.worker}")
    # Kept until here, for what it held would be closed with it.
    del failure
