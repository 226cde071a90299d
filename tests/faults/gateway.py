"""Starts our web server for a test, as production does, and kills it as production may."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from django.db import connection

ROOT = Path(__file__).parents[2]
READY_SECONDS = 20


@dataclass(frozen=True)
class Worker:
    """A process of the server, as the kernel sees it."""

    pid: int

    def memory_kb(self) -> int:
        return self._status("VmRSS")

    def peak_memory_kb(self) -> int:
        return self._status("VmHWM")

    def _status(self, name: str) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


class Gateway:
    """A running web server on the test's database."""

    def __init__(self, var_dir: Path, private_upstreams: str, database_url: str = "") -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = os.environ | {
            "DATABASE_URL": database_url or _database_url(),
            "AUTOROUTER_VAR_DIR": str(var_dir),
            "AUTOROUTER_PRIVATE_UPSTREAMS": private_upstreams,
            "PYTHONWARNINGS": "ignore",
        }
        self._log = (var_dir / "gateway.log").open("ab")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, workers: int = 1) -> None:
        """Start and wait until it is ready; raises RuntimeError with its output otherwise."""
        options = (
            f"--port {self.port} --workers {workers} --respawn-failed-workers --no-ws --http 1"
            " --http1-header-read-timeout 10000 --http1-buffer-size 65536"
        )
        command = [sys.executable, "-m", "granian", "--interface", "asgi", *options.split()]
        self.process = subprocess.Popen(
            [*command, "autorouter_site.asgi:application"],
            cwd=ROOT,
            env=self._environment,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        deadline = time.monotonic() + READY_SECONDS
        while not self._is_ready():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(Path(self._log.name).read_text())
            time.sleep(0.1)

    def workers(self) -> list[Worker]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        names = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children.split()}
        return [Worker(int(pid)) for pid, name in names.items() if b"tracker" not in name]

    def kill(self) -> None:
        """End server and workers at once, as a power cut does."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self._signal(signal.SIGTERM)
        self._log.close()

    def _signal(self, number: signal.Signals) -> None:
        os.killpg(self.process.pid, number)
        try:
            self.process.wait(timeout=READY_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _is_ready(self) -> bool:
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
        gateway.stop()


def _database_url() -> str:
    given: dict[str, Any] = connection.get_connection_params()
    host = given.get("host", "")
    return f"postgres://{given.get('user', '')}@/{given['dbname']}?host={host}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
