"""What one server process holds between requests; made and closed by the ASGI lifespan."""

import asyncio
import logging
import secrets
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from django.conf import settings
from django.db import OperationalError, connection

from activity import connections, reaper
from activity.writer import Writer
from routing.errors import ApiError, RateLimited, Unavailable
from routing.health import Health, Turn
from routing.snapshot import Snapshot
from routing.sticky import Pins
from routing.upstream import Upstream

logger = logging.getLogger(__name__)

T = TypeVar("T")

CHANNEL = "autorouter_changed"
RECONNECT_SECONDS = 0.5
START_SECONDS = 30.0
# How often the rows of processes that died are looked for, whether or not Celery runs.
REAP_SECONDS = 5.0
# Running exchanges get this long to end by themselves when the process stops.
DRAIN_SECONDS = 10.0
MOST_EXCHANGES = 2000


class Process:
    """Snapshot, writer, upstream client, endpoint health and running exchanges of one process."""

    def __init__(self, journal_folder: Path, upstream: Upstream) -> None:
        # Its advisory lock says that this process lives; the reaper looks at it.
        self.worker = secrets.randbits(62)
        self._reads = connections.Reads()
        self.snapshot = Snapshot(self._reads)
        self.pins = Pins(self._reads)
        self.writer = Writer(self.worker, journal_folder)
        self.upstream = upstream
        self.health = Health()
        self.exchanges: set[asyncio.Task[None]] = set()
        self._of_key: Counter[int] = Counter()
        self.draining = False
        # The reaper runs in a thread, and waits there as well.
        self._closing, self._reaper_ends = asyncio.Event(), threading.Event()
        self._background: list[asyncio.Task[Any]] = []

    async def start(self) -> None:
        """Connect, take the lock, read the snapshot.

        Waits for a database that is away, as after a power cut, and raises in the end: granian
        gives up on all workers where one fails twice within seconds.
        """
        first = await self._once_up(self._present)
        await self._once_up(self.snapshot.start)
        await self.writer.start()
        self._background = [
            asyncio.create_task(self._listen(first)),
            asyncio.create_task(self._keep_reaping()),
        ]

    async def drain(self) -> None:
        """Accept nothing more; let exchanges end, and end those that take too long."""
        self.draining = True
        if not self.exchanges:
            return
        _, late = await asyncio.wait(self.exchanges, timeout=DRAIN_SECONDS)
        for exchange in late:
            exchange.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def close(self) -> None:
        """Drain, settle what is left, close every connection."""
        self._closing.set()
        self._reaper_ends.set()
        await self.drain()
        await self.writer.close()
        await self.snapshot.close()
        await self.upstream.close()
        listener, reaping = self._background
        listener.cancel()
        await asyncio.gather(listener, reaping, return_exceptions=True)
        self._reads.close()

    def run(self, exchange: Coroutine[Any, Any, None], key_id: int, turn: Turn | None) -> None:
        """Run an exchange to its end in a task of its own, whatever becomes of its client.

        Raises Unavailable or RateLimited where this process, or this key, has enough to do, and
        gives the turn back.
        """
        try:
            self._admit(key_id)
        except ApiError:
            exchange.close()
            self.health.release(turn)
            raise
        task = asyncio.create_task(exchange)
        self.exchanges.add(task)
        self._of_key[key_id] += 1
        task.add_done_callback(partial(self._ended, key_id))

    def _admit(self, key_id: int) -> None:
        if self.draining or len(self.exchanges) >= MOST_EXCHANGES:
            raise Unavailable("The server is busy or stopping; try again shortly.")
        most = settings.AUTOROUTER_MAX_PARALLEL
        if self._of_key[key_id] >= most:
            message = f"This key has {most} requests under way; try again when one has ended."
            raise RateLimited(message, retry_after=1)

    def _ended(self, key_id: int, exchange: asyncio.Task[None]) -> None:
        self.exchanges.discard(exchange)
        self._of_key[key_id] -= 1
        if not self._of_key[key_id]:
            del self._of_key[key_id]

    async def _keep_reaping(self) -> None:
        while not self._closing.is_set():
            await asyncio.to_thread(_reap, self._reaper_ends)
            with suppress(TimeoutError):
                async with asyncio.timeout(REAP_SECONDS):
                    await self._closing.wait()

    async def _once_up(self, connect: Callable[[], Awaitable[T]]) -> T:
        """What needs the database, tried again while it may still be starting."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + START_SECONDS
        while True:
            try:
                return await connect()
            except (psycopg.OperationalError, OperationalError, OSError) as error:
                if loop.time() > deadline:
                    raise
                logger.warning("The database is not up yet: %s", type(error).__name__)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _present(self) -> psycopg.AsyncConnection[Any]:
        """A connection that holds our advisory lock and hears of every change."""
        database = await connections.connect(f"autorouter-listener-{self.worker}")
        try:
            await database.execute("SELECT pg_advisory_lock(%s)", [self.worker])
            await database.execute(f"LISTEN {CHANNEL}")
        except BaseException:
            await database.close()
            raise
        return database

    async def _listen(self, database: psycopg.AsyncConnection[Any]) -> None:
        while True:
            self.snapshot.listening = True
            self.snapshot.drop()
            try:
                async for notice in database.notifies():
                    self.snapshot.drop(notice.payload)
            except (psycopg.Error, OSError):
                logger.warning("Lost the connection that hears of changes; reading every second")
            finally:
                self.snapshot.listening = False
                with suppress(psycopg.Error, OSError):
                    await database.close()
            self.snapshot.drop()
            database = await self._present_again()

    async def _present_again(self) -> psycopg.AsyncConnection[Any]:
        while True:
            try:
                return await self._present()
            except (psycopg.Error, OSError):
                await asyncio.sleep(RECONNECT_SECONDS)


def _reap(ends: threading.Event) -> None:
    """End what another process left open; Celery does the same every few seconds."""
    try:
        reaper.reap(wait=ends.wait)
    except Exception as error:
        logger.warning("Open rows of ended processes could not be ended", exc_info=error)
    finally:
        connection.close()
