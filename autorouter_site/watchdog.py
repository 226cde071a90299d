"""Ends a worker whose event loop hangs: the server starts another, and its rows become final."""

import asyncio
import faulthandler
import logging
import time

logger = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
# A stream's keep-alive is late by then, and so is every deadline.
LATE_SECONDS = 2.0
# No call takes so long that gives anything back; clients give up after a minute.
HANG_SECONDS = 30.0


async def watch(hang_seconds: float = HANG_SECONDS, beat_seconds: float = BEAT_SECONDS) -> None:
    """Tell of a loop that stood still; where one does for too long, end this process.

    The timer is a thread of the interpreter in C, which needs no lock and so runs whatever hangs;
    it writes where each thread is, without values, and exits with status 1.
    """
    try:
        while True:
            faulthandler.dump_traceback_later(hang_seconds, exit=True)
            due = time.monotonic() + beat_seconds
            await asyncio.sleep(beat_seconds)
            late = time.monotonic() - due
            if late > LATE_SECONDS:
                logger.warning("The event loop stood still for %.1f s", late)
    finally:
        faulthandler.cancel_dump_traceback_later()
