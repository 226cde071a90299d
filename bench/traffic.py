"""The two C programs: what the fake upstream answers, and the load that is sent."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

# The load generator puts a number here, so that no two requests are one conversation.
COUNTER = "@" * 10
SYSTEM = "You are a helpful assistant of a software company. Answer briefly and in plain text."
QUESTION = (
    "Request {number}. Our nightly job reads invoices from a CSV file, groups them by customer and "
    "writes one summary per customer to a database. Since last week it takes four hours instead of "
    "twenty minutes. The file has grown from 200,000 to 240,000 lines. The log shows that the time "
    "between two customers grows steadily during the run, from 3 ms at the start to 600 ms at the "
    "end. We keep the customers seen so far in a Python list and check with `if customer not in "
    "seen: seen.append(customer)` before each write. Memory stays below 300 MB, the database is "
    "idle most of the time, and one core is at 100 %. What is the most likely cause, how would you "
    "confirm it without a profiler, and what is the smallest change that fixes it? Explain in at "
    "most five sentences, then show the changed lines. Also say whether we should move the check "
    "into the database, and what index that would need. Assume Python 3.11 and PostgreSQL 16."
)


@dataclass(frozen=True)
class Pace:
    """How the upstream answers: after how long, and streams at which speed and length."""

    first_ms: float = 0
    between_ms: float = 0
    tokens: int = 16


@dataclass(frozen=True)
class Target:
    """A server to send load to; processes are those whose CPU and memory are counted."""

    name: str
    port: int
    path: str = "/v1/chat/completions"
    model: str = "gpt-fake"
    headers: tuple[str, ...] = ()
    processes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Load:
    """What is sent; a rate makes it an open loop of that many requests a second."""

    connections: int
    stream: bool = False
    rate: float = 0
    seconds: float = 4.0
    warm_seconds: float = 1.0
    ramp_seconds: float = 0
    once: bool = False
    # All requests are one conversation, which is pinned to its model after the first.
    session: str = ""


class Traffic:
    """Sends load from the core of this process."""

    def __init__(self, folder: Path, upstream_port: int) -> None:
        self._folder = folder
        self._upstream = f"http://127.0.0.1:{upstream_port}"

    def pace(self, pace: Pace) -> None:
        query = f"ttft={pace.first_ms}&itl={pace.between_ms}&n={pace.tokens}"
        httpx.get(f"{self._upstream}/__set?{query}", trust_env=False).raise_for_status()

    def open_streams(self) -> int:
        found: int = httpx.get(f"{self._upstream}/__stats", trust_env=False).json()["active"]
        return found

    def send(self, target: Target, load: Load) -> dict[str, Any]:
        """Send it all and give what the load generator counted."""
        with self.sending(target, load) as process:
            out, _ = process.communicate(timeout=load.warm_seconds + load.seconds + 60)
        counted: dict[str, Any] = json.loads(out)
        return counted

    def get(self, target: Target, path: str, seconds: float) -> dict[str, Any]:
        """Ask for a page again and again over one connection."""
        numbers = ["-c", "1", "-d", str(seconds), "-w", "0.5"]
        return self._run([*self._command(target, path), *numbers])

    @contextmanager
    def sending(self, target: Target, load: Load) -> Iterator["subprocess.Popen[bytes]"]:
        """Send it in the background; leaving the context ends it."""
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(_body(target, load), file)
            file.flush()
            command = [*self._command(target, target.path), "-b", file.name, *_options(load)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE)
            try:
                yield process
            finally:
                process.kill()
                process.communicate()

    def _command(self, target: Target, path: str) -> list[str]:
        headers = [part for header in target.headers for part in ("-H", header)]
        return [str(self._folder / "load"), "-p", str(target.port), "-P", path, *headers]

    def _run(self, command: list[str]) -> dict[str, Any]:
        counted: dict[str, Any] = json.loads(
            subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
        )
        return counted


def _options(load: Load) -> list[str]:
    found = ["-c", str(load.connections), "-d", str(load.seconds), "-w", str(load.warm_seconds)]
    if load.rate:
        found += ["-R", str(load.rate)]
    if load.ramp_seconds:
        found += ["-r", str(load.ramp_seconds)]
    if load.session:
        found += ["-H", f"x-session-id: {load.session}"]
    return [*found, "-1"] if load.once else found


def _body(target: Target, load: Load) -> dict[str, Any]:
    number = "0000000000" if load.session else COUNTER
    return {
        "model": target.model,
        "stream": load.stream,
        "messages": [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": QUESTION.format(number=number)},
        ],
    }
