"""A provider that misbehaves on cue: a process of raw TCP, since it must emit malformed bytes.

`python -m tests.faults.upstream --port 0 --ledger FILE` prints `listening PORT`. The model of a
request names the script that answers it, after its last slash: `faulty/http-503`. `scripts`
lists them all, and so does GET /v1/models. GET /__stats counts what happened.
"""

import argparse
import asyncio
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.attempt import (
    MAX_HEAD_BYTES,
    Attempt,
    Request,
    as_json,
    error_body,
    read_request,
)
from tests.faults.ledger import Ledger
from tests.faults.scripts import find, names


class WatchedProtocol(asyncio.StreamReaderProtocol):
    """Tells when the peer has left: a reader that nobody awaits would not notice."""

    def __init__(self, reader: asyncio.StreamReader, connected: Callable[..., Any]) -> None:
        super().__init__(reader, connected)
        self.left = asyncio.Event()

    def eof_received(self) -> bool | None:
        self.left.set()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self.left.set()
        super().connection_lost(exc)


class Upstream:
    """The server, its ledger and its counters."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.requests = 0
        self.open_connections = 0
        self.used_connections = 0
        self.scripts: Counter[str] = Counter()
        self.closed_by_peer: Counter[str] = Counter()
        self.conversations: set[asyncio.Task[None]] = set()

    def protocol(self) -> WatchedProtocol:
        return WatchedProtocol(asyncio.StreamReader(limit=MAX_HEAD_BYTES), self.converse)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until it closes or a script spoils it."""
        # Nothing is buffered here, so that a token counts as written only when it is.
        writer.transport.set_write_buffer_limits(0)
        task = asyncio.current_task()
        assert task is not None
        self.conversations.add(task)
        self.open_connections += 1
        used = False
        try:
            while request := await read_request(reader):
                asked = request.method == "POST"
                self.used_connections += asked and not used
                used = used or asked
                if not await self.answer(request, writer):
                    break
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.open_connections -= 1
            self.conversations.discard(task)
            writer.close()

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; tell whether the connection can be used again."""
        body = request.json()
        name = str(body.get("model")).rpartition("/")[2]
        attempt = Attempt(request, writer, self.requests + 1, name, body=body)
        if request.method == "GET":
            await self.show(attempt)
            return attempt.keep_alive
        self.requests += 1
        script = find(name)
        if script is None or not request.path.endswith("/chat/completions"):
            await attempt.respond(404, error_body(404, f"no script {name!r} at {request.path}"))
            return True
        self.scripts[name] += 1
        self.ledger.begin(attempt)
        closed_by = "upstream"
        try:
            left = await run_until_peer_leaves(script(attempt), writer)
            closed_by = "gateway" if left else "upstream"
        finally:
            self.closed_by_peer[name] += closed_by == "gateway"
            self.ledger.end(attempt, closed_by)
        wanted = request.headers.get("connection", "").lower() != "close"
        return wanted and attempt.keep_alive and closed_by == "upstream"

    async def show(self, attempt: Attempt) -> None:
        path = attempt.request.path
        if path == "/__stats":
            await attempt.respond(200, as_json(self.stats()))
        elif path == "/v1/models":
            data = [{"id": f"faulty/{name}", "object": "model"} for name in names()]
            await attempt.respond(200, as_json({"object": "list", "data": data}))
        else:
            await attempt.respond(404, error_body(404, f"nothing at {path}"))

    def stats(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            # The connection that asks is not meant.
            "open_connections": self.open_connections - 1,
            "used_connections": self.used_connections,
            "scripts": self.scripts,
            "closed_by_peer": +self.closed_by_peer,
        }


async def run_until_peer_leaves(script: Any, writer: asyncio.StreamWriter) -> bool:
    """Run a script; tell whether the peer left before it was done."""
    running = asyncio.ensure_future(script)
    leaving = asyncio.create_task(writer.transport.get_protocol().left.wait())
    try:
        await asyncio.wait({running, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            return True
        error = running.exception()
        if error is not None and not isinstance(error, ConnectionError):
            raise error
        return error is not None
    finally:
        running.cancel()
        leaving.cancel()
        await asyncio.gather(running, leaving, return_exceptions=True)


async def serve(port: int, ledger: Path) -> None:
    loop = asyncio.get_running_loop()
    upstream = Upstream(Ledger(ledger))
    server = await loop.create_server(upstream.protocol, "127.0.0.1", port, backlog=1024)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    print("listening", server.sockets[0].getsockname()[1], flush=True)
    await stopping.wait()
    server.close()
    for conversation in tuple(upstream.conversations):
        conversation.cancel()
    await asyncio.gather(*upstream.conversations, return_exceptions=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.upstream", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ledger", type=Path, required=True)
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.ledger))


if __name__ == "__main__":
    main()
