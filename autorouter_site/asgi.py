"""The ASGI application: lifespan, guard, and which handler answers a path."""

import asyncio
import gc
import logging
import multiprocessing
import os
import signal
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "autorouter_site.settings")

if multiprocessing.parent_process() is not None:
    # granian forks workers with its own handler in place, which does nothing in them: one told to
    # end while it imports this would go on to serve until it is killed.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from activity.reaper import journal_folder  # noqa: E402
from autorouter_site import deadlines, guard, listening, watchdog  # noqa: E402 - Django must be set up first
from autorouter_site.health import PROBES  # noqa: E402
from autorouter_site.lean import LeanHandler, Receive, Send, send_response  # noqa: E402
from autorouter_site.turns import EXPORT_PLACES, PLACES, PROBE_PLACES, Turns  # noqa: E402
from routing import errors  # noqa: E402
from routing.api.chat import ChatCompletionsView  # noqa: E402
from routing.api.models import CATALOGUE  # noqa: E402
from routing.process import Process  # noqa: E402
from routing.upstream import Upstream  # noqa: E402

logger = logging.getLogger(__name__)

# A test holds that the URLconf sends the same paths to the same view.
COMPLETION_PATHS = frozenset({"/api/v1/chat/completions", "/v1/chat/completions"})
EXPORT_PATH = "/activity/export.csv"

LISTENING_SECONDS = 1.0

# Objects made before each generation is looked at: a request leaves no cycles, and a full look
# stops every stream of the process meanwhile.
RARER_COLLECTIONS = (20_000, 50, 50)


class Application:
    """Completions go to the lean handler, everything else to Django with its middleware."""

    def __init__(self) -> None:
        self.process: Process | None = None
        self._stopping: asyncio.Future[None] | None = None
        self._completions = LeanHandler(ChatCompletionsView.as_view())
        probes, exports = Turns(PROBE_PLACES), Turns(EXPORT_PLACES)
        self._turns = Turns(PLACES)
        self._other_turns = dict.fromkeys(PROBES, probes) | {EXPORT_PATH: exports}

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _http(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        lean = scope["path"] in COMPLETION_PATHS
        if await guard.refuse(scope, send, lean=lean):
            return
        if scope["path"] == "/readyz" and self.process and self.process.draining:
            stopping = errors.Unavailable("The server is stopping.")
            await send_response(errors.response(stopping), send)
        elif lean:
            await self._completions(scope, receive, send, self.process)
        else:
            await self._django(scope, receive, send)

    async def _django(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if self.process is not None:
            scope = scope | {CATALOGUE: self.process.snapshot.catalogue}
        turns = self._other_turns.get(scope["path"], self._turns)
        body = guard.CappedBody(receive, turns)
        try:
            await django_application(scope, body.receive, send)
        finally:
            await body.close(scope["path"], send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        deadlines.bound_statements()
        self.process = Process(journal_folder(), Upstream())
        try:
            await self.process.start()
        except Exception as error:
            logger.exception("The server cannot start")
            await send({"type": "lifespan.startup.failed", "message": type(error).__name__})
            return
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop_gracefully)
        # What start-up made lives as long as the process; no collection needs to visit it.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*RARER_COLLECTIONS)
        watching = asyncio.create_task(watchdog.watch())
        await send({"type": "lifespan.startup.complete"})
        # It listens only when it has heard that.
        loop.call_later(LISTENING_SECONDS, listening.drop_stalled_clients)
        await receive()
        await self.process.close()
        watching.cancel()
        await asyncio.wait((watching,))
        await send({"type": "lifespan.shutdown.complete"})

    def _stop_gracefully(self) -> None:
        """Drain first; granian ends its workers on SIGINT as on SIGTERM, which is ours here."""
        if self._stopping is None:
            listening.stop_listening()
            self._stopping = asyncio.ensure_future(self.process.drain())
            self._stopping.add_done_callback(lambda _: os.kill(os.getpid(), signal.SIGINT))


application = Application()
