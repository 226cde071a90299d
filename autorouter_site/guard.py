"""Stands in front of Django: caps what a request may be before anything is read or stored."""

import asyncio
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from autorouter_site import unavailable
from autorouter_site.health import PROBES
from autorouter_site.lean import Receive, Send, send_response, too_large
from autorouter_site.turns import Turns
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
# The longest name that DNS knows, and a port.
LONGEST_HOST = 260
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

    Where it is not, the client is gone to Django, and `close` tells the client why.
    """

    def __init__(self, receive: Receive, turns: Turns) -> None:
        self._receive = receive
        self._received = 0
        self._complete = False
        self._deadline = asyncio.get_running_loop().time() + BODY_SECONDS
        self._refusal: errors.ApiError | None = None
        self._turns, self._has_place = turns, False

    async def receive(self) -> dict[str, Any]:
        """The next message of the client; the last of its body once there is a place for it."""
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
            self._refusal = too_large(MOST_BODY_BYTES)
        elif message.get("more_body") or await self._take_place():
            return message
        return DISCONNECT

    async def _take_place(self) -> bool:
        """Not before the body is whole: who sends slowly holds no place."""
        self._complete = True
        self._has_place = await self._turns.take(self._receive)
        if not self._has_place:
            self._refusal = errors.Unavailable("The server is busy; try again shortly.")
        return self._has_place

    async def close(self, path: str, send: Send) -> None:
        """Tell the client why Django has said nothing, if so, and give the place back."""
        if self._has_place:
            self._turns.give_back()
        if isinstance(self._refusal, errors.Unavailable):
            await send_response(unavailable.answer(path, self._refusal), send)
        elif self._refusal is not None:
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
        return _not_ours(host)
    if found.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
        return errors.InvalidRequest("Transfer-Encoding must be chunked.")
    length = found.get(b"content-length", b"")
    if not lean and length.isdigit() and int(length) > MOST_BODY_BYTES:
        return too_large(MOST_BODY_BYTES)
    return None


@lru_cache(maxsize=256)
def _is_ours(host: bytes, allowed: tuple[str, ...]) -> bool:
    """Whether Django would take the host for one of this server's names."""
    domain, _ = split_domain_port(host.decode("latin-1"))
    return bool(domain) and validate_host(domain, allowed)


def _not_ours(host: bytes) -> errors.InvalidRequest:
    named = f'"{host.decode("latin-1")[:LONGEST_HOST]}"' if host else "an empty name"
    return errors.InvalidRequest(
        f"The Host header does not name this server but {named}. If that is a name of it, its "
        "operator must list it in AUTOROUTER_HOSTS."
    )
