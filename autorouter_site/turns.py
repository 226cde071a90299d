"""How many requests Django answers at once in this process; the others wait for their turn."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

# Each takes a thread and a connection. With those below and the six of the process itself that is
# 18 a worker, of the 100 that PostgreSQL allows; docs/production.md says so.
PLACES = 8
# A probe waits for nobody but other probes, and nobody waits for who reads an export slowly.
PROBE_PLACES = 2
EXPORT_PLACES = 2
WAIT_SECONDS = 15.0


class Turns:
    """A few places, taken in the order in which they were asked for."""

    def __init__(self, places: int, wait_seconds: float = WAIT_SECONDS) -> None:
        self._places = asyncio.Semaphore(places)
        self._wait_seconds = wait_seconds

    async def take(self, client_left: Callable[[], Awaitable[Any]]) -> bool:
        """Wait for a place; False where that took too long or `client_left` returned first."""
        if not self._places.locked():
            return await self._places.acquire()
        turn = asyncio.create_task(self._places.acquire())
        leaving = asyncio.ensure_future(client_left())
        has_place = False
        try:
            await asyncio.wait(
                (turn, leaving),
                timeout=self._wait_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            has_place = turn.done()
        finally:
            leaving.cancel()
            # It may have come at the moment at which we were cancelled.
            if not has_place and not turn.cancel():
                self._places.release()
        return has_place

    def give_back(self) -> None:
        self._places.release()
