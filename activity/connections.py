"""Asynchronous connections to the database that Django's settings name."""

from typing import Any

from django.db import connections
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

# A database that hangs must become a 503 within the client's patience.
STATEMENT_TIMEOUT_MS = 2000
CONNECT_TIMEOUT_SECONDS = 2
POOL_SIZE = 4


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
    }


DJANGO_ONLY = ("context", "cursor_factory", "prepare_threshold", "server_side_binding")


async def connect() -> AsyncConnection[Any]:
    return await AsyncConnection.connect(**parameters())


def pool() -> AsyncConnectionPool[AsyncConnection[Any]]:
    """A small closed pool for reads on the path of a completion; its owner opens and closes it."""
    return AsyncConnectionPool(
        kwargs=parameters(), min_size=1, max_size=POOL_SIZE, timeout=2, max_waiting=200, open=False
    )
