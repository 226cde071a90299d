import asyncio
import subprocess
import sys
import time

import pytest

from autorouter_site import watchdog
from tests.faults.gateway import ROOT

# Long before the child would go on by itself.
PATIENCE_SECONDS = 20


def run(name: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.site.child", name]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )


def test_a_loop_that_hangs_ends_its_process_and_says_where() -> None:
    child = run("hangs")

    assert (child.stdout, child.returncode) == ("up\n", 1)
    assert "Timeout" in child.stderr
    assert "child.py" in child.stderr


def test_a_watch_that_has_ended_ends_nothing() -> None:
    child = run("rests")

    assert (child.stdout, child.returncode, child.stderr) == ("up\n", 0, "")


async def test_a_loop_that_stood_still_is_told_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watchdog, "LATE_SECONDS", 0.1)
    watching = asyncio.create_task(watchdog.watch(beat_seconds=0.01))
    await asyncio.sleep(0.02)

    asyncio.get_running_loop().call_soon(time.sleep, 0.3)
    await asyncio.sleep(0.05)
    watching.cancel()

    told = [message.rpartition(" for ")[0] for message in caplog.messages]
    assert set(told) == {"The event loop stood still"}
