"""Auto Router with a busy wait before each completion: shows that the check of CPU fails."""

import os
import time
from typing import Any

from autorouter_site.asgi import COMPLETION_PATHS
from autorouter_site.asgi import application as product

SLOWER_SECONDS = float(os.environ.get("BENCH_SLOWER_MS", "0")) / 1000


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope.get("path") in COMPLETION_PATHS:
        until = time.thread_time() + SLOWER_SECONDS
        while time.thread_time() < until:
            pass
    await product(scope, receive, send)
