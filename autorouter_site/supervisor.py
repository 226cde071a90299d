"""Child processes of quickstart: their output, their death, and ending them in order.

No thread reads the output: preexec_fn, which ties a child's life to ours, bears none well.
"""

import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, cast

BASE_DIR = Path(__file__).resolve().parent.parent
LOG_BYTES = 2_000_000
TAIL_LINES = 15
# The web server drains open streams first; orphans of a dead child have nothing to finish.
GRACE_SECONDS = 25.0
ORPHANS_GRACE_SECONDS = 5.0
PR_SET_PDEATHSIG = 1


class ChildDied(Exception):
    """A child ended by itself; the message names it and shows its last lines."""


def dies_with_parent(signum: int) -> Callable[[], None] | None:
    """Return a preexec_fn so that not even kill -9 of this process leaves the child behind."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(PR_SET_PDEATHSIG, signum)


class BoundedLog:
    """A file of at most LOG_BYTES, and the one before it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = path
        self.file = self._open()

    def write(self, data: bytes) -> None:
        """Keep what fits: a full disk costs lines, and not the server that wrote them."""
        with suppress(OSError):
            if self.file.tell() + len(data) > LOG_BYTES:
                # It was moved before where the next one could not be opened then.
                if self.path.exists():
                    self.path.replace(self.path.with_suffix(".log.1"))
                full, self.file = self.file, self._open()
                full.close()
            self.file.write(data)

    def close(self) -> None:
        self.file.close()

    def _open(self) -> IO[bytes]:
        # What a buffer held back would be written, and fail, once more.
        return self.path.open("ab", buffering=0)


class Child:
    """A process in a session of its own, so that Ctrl-C in the terminal reaches only us."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self.log = BoundedLog(log)
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.process = subprocess.Popen(
            command,
            cwd=BASE_DIR,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
            preexec_fn=dies_with_parent(signal.SIGTERM),  # noqa: PLW1509 - see the top
        )
        self.output = cast(IO[bytes], self.process.stdout)
        os.set_blocking(self.output.fileno(), False)

    def read(self) -> bool:
        """Log what it wrote since the last time; say whether there was anything."""
        data = self.output.read(65536)
        if data:
            self.log.write(data)
            self.tail.extend(data.decode(errors="replace").splitlines())
        return bool(data)

    def read_rest(self) -> None:
        while self.read():
            continue

    def describe_death(self) -> str:
        status = self.process.returncode
        how = f"with status {status}" if status >= 0 else f"by {signal.Signals(-status).name}"
        lines = "".join(f"\n  {line}" for line in self.tail) or " (it wrote nothing)"
        return f"The {self.name} ended {how}. Its last lines ({self.log.path}):{lines}"

    def is_alive(self) -> bool:
        """Whether it runs, or left children of its own behind."""
        return self.process.poll() is None or self._signal_session(0)

    def grace_seconds(self) -> float:
        return GRACE_SECONDS if self.process.poll() is None else ORPHANS_GRACE_SECONDS

    def end(self) -> None:
        """Ask it to end, which ends its children in the order it knows; or those it left."""
        if self.process.poll() is None:
            self.process.terminate()
        else:
            self._signal_session(signal.SIGTERM)

    def kill(self) -> None:
        self._signal_session(signal.SIGKILL)

    def _signal_session(self, signum: int) -> bool:
        try:
            os.killpg(self.process.pid, signum)
        except ProcessLookupError:
            return False
        return True


class Supervisor:
    """Starts children, watches them, and ends them."""

    def __init__(self, log_dir: Path) -> None:
        self.log_dir = log_dir
        self.children: list[Child] = []
        self.selector = selectors.DefaultSelector()

    def start(self, name: str, module: str, *arguments: str) -> None:
        """Run a Python module as a child that goes by this name."""
        command = [sys.executable, "-m", module, *arguments]
        child = Child(name, command, self.log_dir / f"{name.replace(' ', '-')}.log")
        self.children.append(child)
        self.selector.register(child.output, selectors.EVENT_READ, child)

    def watch(self, seconds: float) -> None:
        """Pass output on for that long; raise ChildDied as soon as a child has ended."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._pass_output(left)
            for child in self.children:
                if child.process.poll() is not None:
                    child.read_rest()
                    raise ChildDied(child.describe_death())

    def stop(self, *names: str) -> None:
        """End the children of these names together, each within its grace."""
        ending = [child for child in self.children if child.name in names]
        now = time.monotonic()
        deadlines = {child: now + child.grace_seconds() for child in ending}
        for child in ending:
            child.end()
        while any(child.is_alive() and time.monotonic() < deadlines[child] for child in ending):
            self._pass_output(0.05)
        for child in ending:
            child.kill()
            self._forget(child)

    def kill(self) -> None:
        """End every child at once, whatever it is doing."""
        for child in self.children:
            child.kill()

    def _forget(self, child: Child) -> None:
        child.process.wait()
        child.read_rest()
        if child.output in self.selector.get_map():
            self.selector.unregister(child.output)
        child.output.close()
        child.log.close()
        self.children.remove(child)

    def _pass_output(self, seconds: float) -> None:
        for key, _ in self.selector.select(seconds):
            if not key.data.read():
                self.selector.unregister(key.fileobj)
