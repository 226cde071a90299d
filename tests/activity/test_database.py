"""Prepared statements over one connection, whatever becomes of statement, caller and server."""

import asyncio
import time
from collections.abc import AsyncIterator

import psycopg
import pytest

from activity import connections
from activity.database import MOST_PREPARED, Database

pytestmark = pytest.mark.both_loops

LARGE = 3_000_000


@pytest.fixture
async def database(async_db: None) -> AsyncIterator[Database]:
    database = await connections.database("autorouter-tests")
    await database.run(("CREATE TEMPORARY TABLE seen (number int PRIMARY KEY)", ()))
    yield database
    database.close()


async def numbers(database: Database) -> list[int]:
    [rows] = await database.run(("SELECT number FROM seen ORDER BY 1", ()))
    return [number for (number,) in rows]


async def test_each_query_has_its_rows(database: Database) -> None:
    found = await database.run(
        ("SELECT $1::text, $2::bigint", ("a", 2)), ("SELECT 1 WHERE false", ()), ("SELECT 3", ())
    )

    assert found == [[("a", 2)], [], [(3,)]]


async def test_a_statement_is_prepared_once_for_each_kind_of_number(database: Database) -> None:
    for number in (1, 2, 3, 2**40):
        assert await database.run(("SELECT $1", (number,))) == [[(number,)]]

    [[(prepared,)]] = await database.run(
        ("SELECT count(*) FROM pg_prepared_statements WHERE statement = $1", ("SELECT $1",))
    )
    assert prepared == 2


async def test_no_more_statements_are_prepared_than_allowed(database: Database) -> None:
    for number in range(MOST_PREPARED + 5):
        assert await database.run((f"SELECT {number}", ())) == [[(number,)]]

    [[(prepared,)]] = await database.run(("SELECT count(*) FROM pg_prepared_statements", ()))
    assert prepared <= MOST_PREPARED + 1


async def test_what_is_sent_together_holds_together(database: Database) -> None:
    insert = ("INSERT INTO seen VALUES ($1)", (1,))

    with pytest.raises(psycopg.errors.UniqueViolation):
        await database.run(insert, insert)

    assert await numbers(database) == []
    await database.run(insert)
    assert await numbers(database) == [1]


async def test_what_the_commit_refuses_is_told_as_it_is(database: Database) -> None:
    constraint = "UNIQUE DEFERRABLE INITIALLY DEFERRED"
    await database.run((f"CREATE TEMPORARY TABLE late (number int {constraint})", ()))
    insert = ("INSERT INTO late VALUES ($1)", (1,))

    with pytest.raises(psycopg.errors.UniqueViolation):
        await database.run(insert, insert)

    assert await database.run(("SELECT number FROM late", ())) == [[]]


async def test_a_text_without_meaning_does_not_harm_the_next(database: Database) -> None:
    with pytest.raises(psycopg.errors.SyntaxError):
        await database.run(("SELEC 1", ()))

    assert await database.run(("SELECT 1", ())) == [[(1,)]]
    assert not database.closed


async def test_more_than_a_socket_takes_at_once_arrives(database: Database) -> None:
    text = "x" * LARGE

    [[(size, back)]] = await database.run(("SELECT length($1::text), $1::text", (text,)))

    assert (size, back) == (LARGE, text)


async def test_who_is_cancelled_closes_the_connection(database: Database) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await database.run(("SELECT pg_sleep(1.5)", ()))

    assert database.closed


async def test_an_answer_in_the_moment_of_a_cancellation_is_nobodys(database: Database) -> None:
    asking = asyncio.ensure_future(database.run(("SELECT 1", ())))
    await asyncio.sleep(0)
    time.sleep(0.05)  # noqa: ASYNC251 - the answer must arrive while the loop is busy

    asking.cancel()
    database._readable()

    with pytest.raises(asyncio.CancelledError):
        await asking
    assert database.closed


async def end(database: Database) -> None:
    """Let the server end a connection."""
    [[(pid,)]] = await database.run(("SELECT pg_backend_pid()", ()))
    other = await connections.database("autorouter-tests-other")
    await other.run(("SELECT pg_terminate_backend($1)", (pid,)))
    other.close()


async def test_a_server_that_leaves_in_a_statement_is_an_error(database: Database) -> None:
    [[(pid,)]] = await database.run(("SELECT pg_backend_pid()", ()))
    other = await connections.database("autorouter-tests-other")
    sleeping = asyncio.ensure_future(database.run(("SELECT pg_sleep(1.5)", ())))
    await asyncio.sleep(0.1)

    await other.run(("SELECT pg_terminate_backend($1)", (pid,)))
    other.close()

    async with asyncio.timeout(1):
        with pytest.raises(psycopg.OperationalError):
            await sleeping
    assert database.closed


@pytest.mark.parametrize("seconds", [0.0, 0.003, 0.05])
async def test_a_server_that_leaves_while_it_is_sent_much_is_an_error(
    async_db: None, seconds: float
) -> None:
    other = await connections.database("autorouter-tests-other")
    for _ in range(4):
        database = await connections.database("autorouter-tests")
        [[(pid,)]] = await database.run(("SELECT pg_backend_pid()", ()))
        much = ("SELECT pg_sleep(1.5), length($1::text)", ("x" * LARGE,))
        sending = asyncio.ensure_future(database.run(much))
        await asyncio.sleep(seconds)

        await other.run(("SELECT pg_terminate_backend($1)", (pid,)))

        async with asyncio.timeout(1):
            with pytest.raises(psycopg.OperationalError):
                await sending
        assert database.closed
    other.close()


async def test_a_server_that_leaves_between_statements_is_noticed(database: Database) -> None:
    await end(database)

    async with asyncio.timeout(1):
        while not database.closed:  # noqa: ASYNC110 - the socket tells, no event of ours
            await asyncio.sleep(0.01)


async def test_a_closed_connection_runs_nothing(database: Database) -> None:
    database.close()
    database.close()

    with pytest.raises(psycopg.OperationalError):
        await database.run(("SELECT 1", ()))
