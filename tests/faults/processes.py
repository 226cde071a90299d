"""Starts the faulty upstream for a test, and reads what it did."""

import http.client
import json
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.faults.ledger import read_ledger

ROOT = Path(__file__).parents[2]


@dataclass
class FaultyUpstream:
    """A running upstream; leaving its context stops it."""

    process: subprocess.Popen[str]
    port: int
    ledger_path: Path

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def ledger(self) -> list[dict[str, Any]]:
        return read_ledger(self.ledger_path)

    def settled_ledger(self, seconds: float = 3) -> list[dict[str, Any]]:
        """Give the ledger once every attempt has ended, or as it is when the time is up."""
        deadline = time.monotonic() + seconds
        rows = self.ledger()
        while not all(row["ended"] for row in rows) and time.monotonic() < deadline:
            time.sleep(0.01)
            rows = self.ledger()
        return rows

    def stats(self) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/__stats")
            stats: dict[str, Any] = json.load(connection.getresponse())
        finally:
            connection.close()
        return stats

    def stop(self) -> None:
        """Stop it, in the middle of whatever it does; its ledger stays readable."""
        self.process.terminate()
        try:
            self.process.wait(timeout=5)
        finally:
            self.process.kill()
            self.process.wait()
            if self.process.stdout:
                self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start_upstream(folder: Path, port: int = 0) -> FaultyUpstream:
    """Start an upstream with its ledger in that folder; raises RuntimeError where it cannot."""
    ledger = folder / "served.jsonl"
    ledger.touch()
    command = [sys.executable, "-m", "tests.faults.upstream", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--ledger", str(ledger)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    word, _, chosen = process.stdout.readline().partition(" ")
    if word != "listening":
        process.kill()
        process.wait()
        raise RuntimeError(f"the faulty upstream did not start on port {port}")
    return FaultyUpstream(process, int(chosen), ledger)


def closed_port() -> int:
    """Find a port on which connections are refused."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
