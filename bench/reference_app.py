"""The least that a Python gateway can do: JSON in, one call upstream, JSON or events out.

What the CPU of a request to Auto Router is compared with; it must not change with Auto Router.
"""

import os
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import orjson

UPSTREAM = os.environ.get("BENCH_UPSTREAM", "")

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
JSON = [(b"content-type", b"application/json")]
EVENTS = [(b"content-type", b"text/event-stream")]


class Application:
    def __init__(self) -> None:
        self._client: aiohttp.ClientSession | None = None

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            self._client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await self._client.close()
            await send({"type": "lifespan.shutdown.complete"})
        elif scope["method"] == "GET":
            await _answer(send, JSON, b"{}")
        else:
            await self._complete(receive, send)

    async def _complete(self, receive: Receive, send: Send) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        request = orjson.loads(body)
        assert self._client is not None
        url = f"{UPSTREAM}/v1/chat/completions"
        async with self._client.post(url, data=orjson.dumps(request)) as answer:
            if not request["stream"]:
                await _answer(send, JSON, orjson.dumps(orjson.loads(await answer.read())))
                return
            await send({"type": "http.response.start", "status": 200, "headers": EVENTS})
            async for line in answer.content:
                if line.startswith(b"data: {"):
                    line = b"data: " + orjson.dumps(orjson.loads(line[6:])) + b"\n"  # noqa: PLW2901
                if line != b"\n":
                    part = line + b"\n"
                    await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _answer(send: Send, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


application = Application()
