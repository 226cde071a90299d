"""Auto Router that looks, a thousand times per second of its CPU, at what it is doing.

Served in place of autorouter_site.asgi:application by profile.py. A signal interrupts the process
after each millisecond of CPU, so what waits is not seen, and what computes is seen in proportion.
"""

import json
import os
import signal
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

from autorouter_site.asgi import application as product

SAMPLES = Path(os.environ.get("BENCH_SAMPLES", os.devnull))
SECONDS_BETWEEN = 0.001
DEEPEST = 60

_seen: Counter[tuple[str, ...]] = Counter()


def _look(_: int, frame: FrameType | None) -> None:
    stack = []
    while frame is not None and len(stack) < DEEPEST:
        code = frame.f_code
        stack.append(f"{code.co_filename}:{code.co_name}")
        frame = frame.f_back
    _seen[tuple(stack)] += 1


def _write() -> None:
    SAMPLES.write_text(json.dumps([[count, *stack] for stack, count in _seen.items()]))


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope.get("path") == "/__samples":
        # What start-up and warming up did is not of interest.
        if scope["query_string"] == b"start":
            signal.signal(signal.SIGPROF, _look)
            signal.setitimer(signal.ITIMER_PROF, SECONDS_BETWEEN, SECONDS_BETWEEN)
        else:
            signal.setitimer(signal.ITIMER_PROF, 0)
            _write()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})
        return
    await product(scope, receive, send)
