"""The demo provider as an ASGI application: routes, authentication, deadlines, hanging up."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, MutableMapping
from dataclasses import dataclass
from typing import Any

import orjson

from routing.demo.completion import parse
from routing.demo.errors import ProviderError, on_request
from routing.demo.wire import Wire, model_list

Event = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

MAX_BODY_BYTES = 32 * 1024 * 1024
BODY_SECONDS = 30
SLOW_SECONDS = 3
TOKEN_SECONDS = 0.003
ASKED_TOKEN_SECONDS = 0.02


@dataclass(frozen=True)
class Exchange:
    """One request and the way back to its client."""

    scope: Scope
    receive: Receive
    send: Send

    def header(self, name: bytes) -> bytes:
        return next((value for key, value in self.scope["headers"] if key.lower() == name), b"")


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(f"the demo provider serves http, not {scope['type']}")
    exchange = Exchange(scope, receive, send)
    try:
        await route(exchange)
    except ProviderError as error:
        await send_json(send, error.envelope(), error.status, error.headers)


async def route(exchange: Exchange) -> None:
    method, path = exchange.scope["method"], exchange.scope["path"]
    expected = {"/livez": "GET", "/v1/models": "GET", "/v1/chat/completions": "POST"}.get(path)
    if expected is None:
        raise ProviderError(404, f"There is no {path} here.")
    if method != expected:
        raise ProviderError(405, f"{path} takes {expected}, not {method}.")
    if path == "/livez":
        await send_json(exchange.send, {"status": "ok"})
        return
    authenticate(exchange)
    if path == "/v1/models":
        await send_json(exchange.send, model_list())
    else:
        await complete(exchange)


def authenticate(exchange: Exchange) -> None:
    scheme, _, credential = exchange.header(b"authorization").partition(b" ")
    if scheme.lower() != b"bearer" or not credential.strip():
        message = "No API key: send any, as 'Authorization: Bearer KEY'."
        raise ProviderError(401, message)


async def complete(exchange: Exchange) -> None:
    completion = parse(await read_body(exchange))
    if completion.cues.status is not None:
        raise on_request(completion.cues.status)
    wire = Wire.answering(completion)
    await until_client_leaves(exchange.receive, deliver(exchange.send, wire))


async def read_body(exchange: Exchange) -> bytes:
    announced = exchange.header(b"content-length")
    too_large = ProviderError(413, f"The body is larger than {MAX_BODY_BYTES} bytes.")
    if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in body_parts(exchange.receive):
                body += part
                if len(body) > MAX_BODY_BYTES:
                    raise too_large
    except TimeoutError as error:
        raise ProviderError(408, f"The body took longer than {BODY_SECONDS} s.") from error
    return bytes(body)


async def body_parts(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ProviderError(400, "The body ended early.")
        yield event.get("body", b"")
        if not event.get("more_body", False):
            return


async def until_client_leaves(receive: Receive, delivery: Coroutine[Any, Any, None]) -> None:
    """Deliver an answer, and stop at once when the client hangs up."""
    delivering = asyncio.create_task(delivery)
    leaving = asyncio.create_task(client_left(receive))
    try:
        await asyncio.wait({delivering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if delivering.done():
            await delivering
    finally:
        delivering.cancel()
        leaving.cancel()
        await asyncio.gather(delivering, leaving, return_exceptions=True)


async def client_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def deliver(send: Send, wire: Wire) -> None:
    completion = wire.completion
    if completion.cues.slow:
        await asyncio.sleep(SLOW_SECONDS)
    if completion.stream:
        await send_stream(send, wire)
    elif completion.cues.breaks:
        raise on_request(500)
    else:
        await send_json(send, wire.body())


async def send_stream(send: Send, wire: Wire) -> None:
    cues = wire.completion.cues
    pause_seconds = TOKEN_SECONDS if cues.tokens is None else ASKED_TOKEN_SECONDS
    await send_start(send, 200, {"content-type": "text/event-stream", "cache-control": "no-cache"})
    for chunk in wire.broken_chunks() if cues.breaks else wire.chunks():
        event = b"data: %b\n\n" % orjson.dumps(chunk)
        await send({"type": "http.response.body", "body": event, "more_body": True})
        await asyncio.sleep(pause_seconds)
    end = b"" if cues.breaks else b"data: [DONE]\n\n"
    await send({"type": "http.response.body", "body": end})


async def send_json(
    send: Send, value: Any, status: int = 200, headers: dict[str, str] | None = None
) -> None:
    body = orjson.dumps(value)
    length = str(len(body))
    own = {"content-type": "application/json", "content-length": length}
    await send_start(send, status, own | (headers or {}))
    await send({"type": "http.response.body", "body": body})


async def send_start(send: Send, status: int, headers: dict[str, str]) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
