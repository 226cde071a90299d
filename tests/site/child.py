"""A child process that behaves as its argument says: `python -m tests.site.child waits`."""

import asyncio
import signal
import subprocess
import sys
import time

from autorouter_site import watchdog


def waits() -> None:
    print("up", flush=True)
    time.sleep(60)


def stubborn() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    waits()


def parent() -> None:
    """Tells the pid of a child of its own, which outlives it."""
    child = subprocess.Popen([sys.executable, "-m", "tests.site.child", "waits"])
    print(child.pid, flush=True)
    time.sleep(60)


def fails() -> None:
    print("first line\nsecond line", flush=True)
    sys.exit(3)


def talks() -> None:
    for _ in range(300):
        print("x" * 9_999, flush=True)
    print("done", flush=True)
    time.sleep(60)


def hangs() -> None:
    """An event loop that beats for a while and then stands still."""
    asyncio.run(beat(60, is_watched=True))


def rests() -> None:
    """One whose watch has ended stands still as it likes."""
    asyncio.run(beat(1.5, is_watched=False))


async def beat(still_seconds: float, *, is_watched: bool) -> None:
    watching = asyncio.create_task(watchdog.watch(hang_seconds=1.0, beat_seconds=0.1))
    await asyncio.sleep(1.5)
    if not is_watched:
        watching.cancel()
        await asyncio.wait((watching,))
    print("up", flush=True)
    asyncio.get_running_loop().call_soon(time.sleep, still_seconds)
    await asyncio.sleep(0)
    watching.cancel()


if __name__ == "__main__":
    globals()[sys.argv[1]]()
