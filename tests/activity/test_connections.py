"""Reads on the path of a completion, under more load than they can take."""

import asyncio
from typing import Any

import psycopg
import pytest

from activity import connections
from activity.connections import READERS, Reads


@pytest.fixture
async def reads(async_db: None) -> Any:
    reads = Reads()
    yield reads
    reads.close()


async def backend(reads: Reads) -> int:
    return int((await reads.rows("SELECT pg_backend_pid()", ()))[0][0])


async def test_a_connection_is_used_again(reads: Reads) -> None:
    assert await backend(reads) == await backend(reads)


async def test_more_readers_than_connections_take_turns(reads: Reads) -> None:
    slow = [reads.rows("SELECT pg_backend_pid() FROM pg_sleep(0.01)", ()) for _ in range(20)]

    found = await asyncio.gather(*slow)

    assert len({rows[0] for rows in found}) == READERS


async def test_readers_who_give_up_leave_their_turn_to_others(
    reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "QUERY_SECONDS", 0.05)
    slow = [reads.rows("SELECT pg_sleep(0.02)", ()) for _ in range(50)]

    given_up = await asyncio.gather(*slow, return_exceptions=True)

    monkeypatch.undo()
    assert any(isinstance(one, TimeoutError) for one in given_up)
    assert await reads.rows("SELECT 1", ()) == [(1,)]


async def test_a_connection_that_broke_while_idle_is_replaced(reads: Reads) -> None:
    before = await backend(reads)
    another = Reads()
    await another.rows("SELECT pg_terminate_backend($1)", (before,))
    another.close()

    assert await backend(reads) != before


async def test_a_query_that_fails_is_not_sent_again(reads: Reads) -> None:
    await backend(reads)

    with pytest.raises(psycopg.errors.UndefinedTable):
        await reads.rows("SELECT * FROM nowhere", ())


async def test_a_statement_that_a_migration_spoilt_is_prepared_anew(reads: Reads) -> None:
    query = "SELECT text FROM changed"
    other = Reads()
    await other.rows("CREATE TABLE changed (text varchar(10))", ())
    try:
        assert await reads.rows(query, ()) == []
        await other.rows("ALTER TABLE changed ALTER text TYPE varchar(20)", ())

        with pytest.raises(psycopg.errors.FeatureNotSupported):
            await reads.rows(query, ())

        assert await reads.rows(query, ()) == []
    finally:
        await other.rows("DROP TABLE changed", ())
        other.close()
