"""Stands in front of Django: caps what a request may be before anything is read or stored."""

from typing import Any

from autorouter_site.lean import Receive, Send, send_response
from routing import errors

MOST_HEADERS = 100
MOST_HEADER_BYTES = 16 * 1024
# Servers disagree about which of two counts.
SINGLE = (b"authorization", b"host", b"content-length", b"x-session-id", b"x-session-affinity")
# Pages and small API calls; the completion endpoint reads its own body, after the key.
MOST_BODY_BYTES = 2 * 1024 * 1024


async def refuse(scope: dict[str, Any], send: Send, *, lean: bool) -> bool:
    """Answer a request whose headers are more than a client needs; whether it was refused."""
    headers = scope["headers"]
    if len(headers) > MOST_HEADERS or _size(headers) > MOST_HEADER_BYTES:
        error = errors.HeadersTooLarge(
            f"Send at most {MOST_HEADERS} headers of {MOST_HEADER_BYTES} bytes together."
        )
    elif twice := _sent_twice(headers):
        error = errors.InvalidRequest(f"Send one {twice.decode()} header, not several.")
    elif _declared_length(headers) > MOST_BODY_BYTES and not lean:
        error = errors.TooLarge(f"The body is larger than {MOST_BODY_BYTES} bytes.")
    else:
        return False
    await send_response(errors.response(error), send)
    return True


def capped(receive: Receive) -> Receive:
    """The same messages, until their bodies exceed the cap; then the client is gone to Django."""
    received = 0

    async def receive_capped() -> dict[str, Any]:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        return {"type": "http.disconnect"} if received > MOST_BODY_BYTES else message

    return receive_capped


def _size(headers: list[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) for name, value in headers)


def _sent_twice(headers: list[tuple[bytes, bytes]]) -> bytes:
    """A header that names one thing and came more than once, or b""."""
    names = [name for name, _ in headers]
    return next((name for name in SINGLE if names.count(name) > 1), b"")


def _declared_length(headers: list[tuple[bytes, bytes]]) -> int:
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
