"""Reads on the path of a completion, under more load than they can take."""

import asyncio
from typing import Any

import pytest

from activity.connections import Reads, within


@pytest.fixture
async def reads(async_db: None) -> Any:
    reads = Reads()
    await reads.open()
    yield reads
    await reads.close()


async def test_nobody_waits_for_a_connection_in_the_pool(reads: Reads) -> None:
    slow = [within(0.05, reads.rows("SELECT pg_sleep(0.02)", ())) for _ in range(50)]

    given_up = await asyncio.gather(*slow, return_exceptions=True)

    assert any(isinstance(one, TimeoutError) for one in given_up)
    assert reads._pool.get_stats().get("requests_queued", 0) == 0
    assert await within(2.5, reads.rows("SELECT 1", ())) == [(1,)]
