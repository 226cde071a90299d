"""A child process that behaves as its argument says: `python -m tests.site.child waits`."""

import signal
import subprocess
import sys
import time


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


if __name__ == "__main__":
    globals()[sys.argv[1]]()
