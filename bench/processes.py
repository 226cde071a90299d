"""Starts the servers of a run, each pinned to its core, and ends every one of them."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx

from autorouter_site.supervisor import dies_with_parent

ROOT = Path(__file__).parents[1]
# LiteLLM reads 300 MB of Python at its first start, on one core.
READY_SECONDS = 240.0
GRACE_SECONDS = 15.0


class NotReady(Exception):
    """A server did not come up; the message holds the end of its log."""


class Server:
    """A process in a session of its own; leaving its context ends it and its children.

    It has our environment unless it is given another one.
    """

    def __init__(
        self, command: list[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=dies_with_parent(signal.SIGTERM),  # noqa: PLW1509 - see supervisor.py
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_until_ready(self, url: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not _answers(url):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise NotReady(f"{url} does not answer. {self.log} ends:\n{self._tail()}")
            time.sleep(0.1)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self.stop()

    def _tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
