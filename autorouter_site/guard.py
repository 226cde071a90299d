"""Stands in front of Django: caps what a request may be before anything is read or stored."""

import asyncio
from collections import deque
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from autorouter_site.health import PROBES
from autorouter_site.lean import Receive, Send, send_response
from routing import errors

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
MOST_HEADERS = 100
# The path and the query count as well.
MOST_HEADER_BYTES = 16 * 1024
# Servers disagree about which of two counts.
SINGLE = frozenset(
    b"authorization host content-length content-type content-encoding transfer-encoding "
    b"x-session-id x-session-affinity".split()
)
# Pages and small API calls; the completion endpoint reads its own body, after the key.
MOST_BODY_BYTES = 2 * 1024 * 1024
# Nobody proved to be anyone yet, so nobody gets longer.
BODY_SECONDS = 30.0
DISCONNECT = {"type": "http.disconnect"}


async def refuse(scope: dict[str, Any], send: Send, *, lean: bool) -> bool:
    """Answer a request whose head no client of ours needs; whether it was refused."""
    error = _in_request_line(scope) or _in_headers(scope, lean=lean)
    if error is None:
        return False
    await _answer(error, send, allow="POST" if lean else ", ".join(METHODS))
    return True


class CappedBody:
    """The body of a request to Django: up to the cap, in time, and as it was framed.

    Where it is not, the client is gone to Django, and `answer` tells the client why.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._received = 0
        self._complete = False
        self._deadline = asyncio.get_running_loop().time() + BODY_SECONDS
        self._refusal: errors.ApiError | None = None
        self._ahead: deque[asyncio.Task[dict[str, Any]]] = deque()

    async def receive(self) -> dict[str, Any]:
        """The next message of the client; in turn with what was read ahead."""
        return await (self._ahead.popleft() if self._ahead else self._next())

    async def client_left(self) -> None:
        """Returns once the client has left, as far as can be seen without reading a long body."""
        message = await self._read_ahead()
        if message["type"] == DISCONNECT["type"]:
            return
        if not self._complete:
            await asyncio.Event().wait()
        await self._read_ahead()

    async def _read_ahead(self) -> dict[str, Any]:
        # Never cancelled and asked for again: a message could be lost in between.
        self._ahead.append(asyncio.create_task(self._next()))
        return await asyncio.shield(self._ahead[-1])

    async def _next(self) -> dict[str, Any]:
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            self._refusal = errors.SlowUpload(f"The body took longer than {BODY_SECONDS:g} s.")
            return DISCONNECT
        self._received += len(message.get("body", b""))
        if message["type"] == DISCONNECT["type"]:
            self._refusal = errors.InvalidRequest("The body broke off, or its framing is wrong.")
        elif self._received > MOST_BODY_BYTES:
            self._refusal = _too_large()
        else:
            self._complete = not message.get("more_body")
            return message
        return DISCONNECT

    @property
    def is_refused(self) -> bool:
        return self._refusal is not None

    async def answer(self, send: Send) -> None:
        """Tell the client what was wrong with the body; Django has said nothing then."""
        for message in self._ahead:
            message.cancel()
        if self._refusal is not None:
            await _answer(self._refusal, send)


async def _answer(error: errors.ApiError, send: Send, allow: str = "") -> None:
    response = errors.response(error)
    # What the client sends next could be taken for another request.
    response["Connection"] = "close"
    if error.status == 405:
        response["Allow"] = allow
    await send_response(response, send)


def _in_request_line(scope: dict[str, Any]) -> errors.ApiError | None:
    if scope["method"] not in METHODS:
        return errors.MethodNotAllowed(f"{scope['method'][:20]} is not allowed.")
    if not scope["path"].startswith("/"):
        return errors.InvalidRequest("The request's target must be a path.")
    return None


def _in_headers(scope: dict[str, Any], *, lean: bool) -> errors.ApiError | None:
    headers = scope["headers"]
    size = len(scope["path"]) + len(scope["query_string"])
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        size += len(name) + len(value)
        if name in SINGLE:
            if name in found:
                return errors.InvalidRequest(f"Send one {name.decode()} header, not several.")
            found[name] = value
    if len(headers) > MOST_HEADERS or size > MOST_HEADER_BYTES:
        return errors.HeadersTooLarge(
            f"Send at most {MOST_HEADERS} headers of {MOST_HEADER_BYTES} bytes, with the path."
        )
    host = found.get(b"host", b"")
    if scope["path"] not in PROBES and not _is_ours(host, tuple(settings.ALLOWED_HOSTS)):
        return errors.InvalidRequest("The Host header does not name this server.")
    if found.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
        return errors.InvalidRequest("Transfer-Encoding must be chunked.")
    length = found.get(b"content-length", b"")
    if not lean and length.isdigit() and int(length) > MOST_BODY_BYTES:
        return _too_large()
    return None


@lru_cache(maxsize=256)
def _is_ours(host: bytes, allowed: tuple[str, ...]) -> bool:
    """Whether Django would take the host for one of this server's names."""
    domain, _ = split_domain_port(host.decode("latin-1"))
    return bool(domain) and validate_host(domain, allowed)


def _too_large() -> errors.TooLarge:
    return errors.TooLarge(f"The body is larger than {MOST_BODY_BYTES} bytes.")
