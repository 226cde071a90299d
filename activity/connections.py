"""Asynchronous connections to the database that Django's settings name."""

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import connections
from psycopg import AsyncConnection

from activity.database import Database, Rows

# A database that hangs must become a 503 within the client's patience.
STATEMENT_TIMEOUT_MS = 2000
CONNECT_TIMEOUT_SECONDS = 2
READERS = 2
# A read on the path of a completion; the client hears of a silent database within 3 s.
QUERY_SECONDS = 2.5
DJANGO_ONLY = ("context", "cursor_factory", "prepare_threshold", "server_side_binding")


def parameters() -> dict[str, Any]:
    """Django's connection parameters without what only its own wrapper understands."""
    given = connections["default"].get_connection_params()
    ours = {name: given[name] for name in given if name not in DJANGO_ONLY}
    # Every statement of ours names the keys of a few rows (ledger.py): a scan suits it never, and
    # one plan suits all of its batches. PostgreSQL would plan that of a single key each time.
    return ours | {
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "autocommit": True,
        "options": f"{given.get('options', '')} -c statement_timeout={STATEMENT_TIMEOUT_MS} "
        f"-c lock_timeout={STATEMENT_TIMEOUT_MS} -c timezone=UTC -c enable_seqscan=off "
        "-c plan_cache_mode=force_generic_plan",
        # Give up on a peer that stopped answering, instead of waiting for the kernel's minutes.
        "tcp_user_timeout": STATEMENT_TIMEOUT_MS,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 2,
    }


async def connect(name: str) -> AsyncConnection[Any]:
    """A connection of its own, under a name that the server shows."""
    return await AsyncConnection.connect(**parameters() | {"application_name": name})


async def database(name: str) -> Database:
    """The same for prepared statements."""
    return Database(await connect(name))


class Reads:
    """A few connections for reads on the path of a completion, opened when they are needed.

    psycopg_pool would do, but 3.3 loses a connection that it hands over at the moment its waiter
    gives up, and waits for seconds before it tries a database again that is back.
    """

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(READERS)
        self._idle: list[Database] = []

    def close(self) -> None:
        idle, self._idle = self._idle, []
        for reader in idle:
            reader.close()

    async def rows(self, text: str, parameters: Sequence[Any]) -> Rows:
        """All rows of a query that can only find a few.

        Raises psycopg.Error, OSError, or TimeoutError where the database does not answer.
        """
        async with asyncio.timeout(QUERY_SECONDS), self._turns:
            while self._idle:
                try:
                    return await self._read(self._idle.pop(), text, parameters)
                except psycopg.OperationalError as error:
                    # It broke while it lay idle, as all do when the database restarts.
                    if error.sqlstate is not None and not error.sqlstate.startswith("57P"):
                        raise
            return await self._read(await database("autorouter-reader"), text, parameters)

    async def _read(self, reader: Database, text: str, parameters: Sequence[Any]) -> Rows:
        try:
            [rows] = await reader.run((text, parameters))
        except BaseException:
            # Its prepared statement may be at fault, as after a migration.
            reader.close()
            raise
        self._idle.append(reader)
        return rows
