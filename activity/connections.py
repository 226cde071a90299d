"""Asynchronous connections to the database that Django's settings name."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from django.db import connections
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

# A database that hangs must become a 503 within the client's patience.
STATEMENT_TIMEOUT_MS = 2000
CONNECT_TIMEOUT_SECONDS = 2
POOL_SIZE = 4
# A read on the path of a completion; the client hears of a silent database within 3 s.
QUERY_SECONDS = 2.5


def parameters() -> dict[str, Any]:
    """Django's connection parameters without what only its own wrapper understands."""
    given = connections["default"].get_connection_params()
    ours = {name: given[name] for name in given if name not in DJANGO_ONLY}
    return ours | {
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "autocommit": True,
        "options": f"{given.get('options', '')} -c statement_timeout={STATEMENT_TIMEOUT_MS} "
        f"-c lock_timeout={STATEMENT_TIMEOUT_MS} -c timezone=UTC",
        # Give up on a peer that stopped answering, instead of waiting for the kernel's minutes.
        "tcp_user_timeout": STATEMENT_TIMEOUT_MS,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 2,
    }


DJANGO_ONLY = ("context", "cursor_factory", "prepare_threshold", "server_side_binding")


async def connect(name: str) -> AsyncConnection[Any]:
    """A connection of its own, under a name that the server shows."""
    return await AsyncConnection.connect(**parameters() | {"application_name": name})


def pool() -> AsyncConnectionPool[AsyncConnection[Any]]:
    """A small closed pool for reads on the path of a completion; its owner opens and closes it."""
    return AsyncConnectionPool(
        kwargs=parameters(), min_size=1, max_size=POOL_SIZE, timeout=2, max_waiting=200, open=False
    )


async def one_row(
    pool: "AsyncConnectionPool[AsyncConnection[Any]]", query: str, parameters: Any
) -> tuple[Any, ...] | None:
    async with pool.connection() as database:
        cursor = await database.execute(query, parameters)
        return await cursor.fetchone()


async def all_rows(
    pool: "AsyncConnectionPool[AsyncConnection[Any]]", query: str, parameters: Any
) -> list[tuple[Any, ...]]:
    """For queries that can only find a few."""
    async with pool.connection() as database:
        cursor = await database.execute(query, parameters)
        return await cursor.fetchall()


async def within(seconds: float, query: Coroutine[Any, Any, Any]) -> Any:
    """A query's result, or TimeoutError after so many seconds, whatever the query still does.

    asyncio.timeout would wait until psycopg has cancelled it, which takes 5 s where the server
    hangs.
    """
    task = asyncio.ensure_future(query)
    try:
        await asyncio.wait((task,), timeout=seconds)
    finally:
        task.cancel()
    if not task.done():
        task.add_done_callback(_forget)
        raise TimeoutError("the database does not answer")
    return task.result()


def _forget(task: "asyncio.Task[Any]") -> None:
    """Look at an outcome that nobody waits for any more."""
    if not task.cancelled():
        task.exception()
