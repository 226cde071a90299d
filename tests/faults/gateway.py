"""Starts our web server for a test, as production does, and kills it as production may."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from django.db import connection

from autorouter_site.management.commands.quickstart import WEB

ROOT = Path(__file__).parents[2]
READY_SECONDS = 60
# Streams get 10 s, their settlements a little more; quickstart allows 25 s.
STOP_SECONDS = 25


@dataclass(frozen=True)
class Worker:
    """A process of the server, as the kernel sees it."""

    pid: int

    def memory_kb(self) -> int:
        return self._status("VmRSS")

    def peak_memory_kb(self) -> int:
        return self._status("VmHWM")

    def forget_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def has_loaded(self, library: str) -> bool:
        return library in Path(f"/proc/{self.pid}/maps").read_text()

    def _status(self, name: str) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


class Gateway:
    """A running web server on the test's database."""

    def __init__(
        self, var_dir: Path, private_upstreams: str, database_url: str = "", **environment: str
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = os.environ | {
            "DATABASE_URL": database_url or database_of_tests(),
            "AUTOROUTER_VAR_DIR": str(var_dir),
            "AUTOROUTER_PRIVATE_UPSTREAMS": private_upstreams,
            "PYTHONWARNINGS": "ignore",
            **environment,
        }
        self._log = (var_dir / "gateway.log").open("ab")
        self.process: subprocess.Popen[bytes] | None = None
        self.worker_count = 0

    def start(self, workers: int = 1, *, open_files: int = 0) -> None:
        """Start and wait until it is ready; raises RuntimeError with its output otherwise."""
        self.begin_start(workers)
        if open_files:
            resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, (open_files, open_files))
        deadline = time.monotonic() + READY_SECONDS
        while not self.is_ready():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(Path(self._log.name).read_text())
            time.sleep(0.1)

    def begin_start(self, workers: int) -> None:
        self.worker_count = workers
        options = f"--host 127.0.0.1 --port {self.port} --workers {workers}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", *WEB.split(), *options.split()],
            cwd=ROOT,
            env=self._environment,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def workers(self) -> list[Worker]:
        """The processes that serve, oldest first."""
        return [Worker(pid) for pid in children(self.process.pid)]

    def kill(self) -> None:
        """End server and workers at once, as a power cut does."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def begin_stop(self) -> None:
        """Ask the server to end, as a service manager does, and do not wait for it."""
        self.process.terminate()

    def reload(self) -> None:
        """Replace its workers one after the other."""
        self.process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """Stop as a service manager does: kindly first."""
        if self.is_alive():
            self.begin_stop()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=STOP_SECONDS)
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def close(self) -> None:
        self.stop()
        self._log.close()

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False


@contextmanager
def running_gateway(var_dir: Path, private_upstreams: str, workers: int = 1) -> Iterator[Gateway]:
    gateway = Gateway(var_dir, private_upstreams)
    try:
        gateway.start(workers)
        yield gateway
    finally:
        gateway.close()


def database_of_tests() -> str:
    given: dict[str, Any] = connection.get_connection_params()
    host = given.get("host", "")
    return f"postgres://{given.get('user', '')}@/{given['dbname']}?host={host}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def children(parent: int) -> list[int]:
    """The living child processes of a process, oldest first."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            # After the name, which may hold anything: state, parent, ..., and the start time.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue
        if len(fields) > 19 and int(fields[1]) == parent and fields[0] != "Z":
            found.append((int(fields[19]), int(entry.name)))
    return [pid for _, pid in sorted(found)]
