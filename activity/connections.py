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
READERS = 2
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


class Reads:
    """A few open connections for reads on the path of a completion.

    Who has no turn waits here and not in the pool: psycopg_pool 3.3 loses a connection that it
    hands over at the moment its waiter gives up, and an overload makes that moment come often.
    """

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(READERS)
        self._pool: AsyncConnectionPool[AsyncConnection[Any]] = AsyncConnectionPool(
            kwargs=parameters(), min_size=READERS, max_size=READERS, timeout=2, open=False
        )

    async def open(self) -> None:
        await self._pool.open(wait=True, timeout=10)

    async def close(self) -> None:
        await self._pool.close()

    async def rows(self, query: str, parameters: Any) -> list[tuple[Any, ...]]:
        """All rows of a query that can only find a few."""
        async with self._turns, self._pool.connection() as database:
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
