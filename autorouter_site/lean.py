"""Runs an async view on the event loop: no middleware, no thread, one client watched."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.http.response import HttpResponseBase

from routing import errors
from routing.process import Process
from routing.streaming import EventStreamResponse

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

JSON = "application/json"
# A body must arrive at this pace once the first seconds are over.
BODY_GRACE_SECONDS = 10.0
SLOWEST_BYTES_PER_SECOND = 16 * 1024


class BodyReader:
    """Reads a request's body when asked to, within its caps, and then watches the client."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._watch: asyncio.Task[None] | None = None
        self.client_left = False

    async def read(self, meta: Mapping[str, str]) -> bytes:
        """The whole body; raises InvalidRequest, TooLarge or SlowUpload.

        From then on the calling task is cancelled once its client closes the connection.
        """
        _check_headers(meta)
        most = settings.AUTOROUTER_MAX_BODY_BYTES
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(BODY_GRACE_SECONDS) as deadline:
                started = asyncio.get_running_loop().time()
                while True:
                    message = await self._receive()
                    if message["type"] == "http.disconnect":
                        raise errors.InvalidRequest("The body broke off, or its framing is wrong.")
                    chunks.append(message.get("body", b""))
                    size += len(chunks[-1])
                    if size > most:
                        raise too_large(most)
                    if not message.get("more_body"):
                        break
                    allowed = BODY_GRACE_SECONDS + size / SLOWEST_BYTES_PER_SECOND
                    deadline.reschedule(started + allowed)
        except TimeoutError as error:
            raise errors.SlowUpload("The body did not arrive in time; send it faster.") from error
        self._watch = asyncio.create_task(self._cancel_once_left(asyncio.current_task()))
        return b"".join(chunks)

    @property
    def is_read(self) -> bool:
        return self._watch is not None

    def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()

    async def _cancel_once_left(self, answering: asyncio.Task[Any]) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.client_left = True
        answering.cancel()


class LeanHandler:
    """Answers one request by one view, and cancels the view when its client leaves."""

    def __init__(self, view: Callable[[Any], Awaitable[HttpResponseBase]]) -> None:
        self._view = view

    async def __call__(
        self, scope: dict[str, Any], receive: Receive, send: Send, process: Process
    ) -> None:
        body_reader = BodyReader(receive)
        try:
            await self._answer(scope, send, process, body_reader)
        except OSError:
            pass
        except asyncio.CancelledError:
            if not body_reader.client_left or asyncio.current_task().uncancel():
                raise
        finally:
            body_reader.close()

    async def _answer(
        self, scope: dict[str, Any], send: Send, process: Process, body_reader: BodyReader
    ) -> None:
        request = ASGIRequest(scope, BytesIO())
        request.process = process
        request.body_reader = body_reader
        response = await self._view(request)
        if not body_reader.is_read or process.draining:
            # What is left of the body could be taken for another request, and another request
            # is for another worker.
            response["Connection"] = "close"
        await send_response(response, send)


async def send_response(response: HttpResponseBase, send: Send) -> None:
    """Send a response part by part and close it, whether or not its client stays."""
    if not isinstance(response, EventStreamResponse):
        await _send_head(response, send)
        await send({"type": "http.response.body", "body": response.content})
        return
    # Its client may be gone as early as the head.
    async with aclosing(response.rest) as rest:
        await _send_head(response, send)
        await send({"type": "http.response.body", "body": response.first, "more_body": True})
        async for part in rest:
            await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _send_head(response: HttpResponseBase, send: Send) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": response.status_code,
            "headers": [
                (name.lower().encode("ascii"), value.encode("latin-1"))
                for name, value in response.items()
            ],
        }
    )


def _check_headers(meta: Mapping[str, str]) -> None:
    content_type = meta.get("CONTENT_TYPE", "")
    if content_type != JSON and _plain(content_type) not in (JSON, f"{JSON};charset=utf-8"):
        raise errors.InvalidRequest("Content-Type must be application/json.")
    if meta.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise errors.InvalidRequest("Content-Encoding is not supported; send plain JSON.")
    most = settings.AUTOROUTER_MAX_BODY_BYTES
    length = meta.get("CONTENT_LENGTH", "")
    if length.isascii() and length.isdigit() and int(length) > most:
        raise too_large(most)


def _plain(content_type: str) -> str:
    return content_type.replace(" ", "").replace('"', "").lower()


def too_large(most: int) -> errors.TooLarge:
    return errors.TooLarge(f"The body is larger than {most} bytes, the most that is accepted.")
