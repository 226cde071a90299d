"""Clients that send too slowly, or far too much."""

import socket
import time
from contextlib import suppress
from dataclasses import dataclass

from tests.faults.framing import HOST, JSON, KEY, POST, statuses

FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
SIGN_IN = b"POST /sign-in HTTP/1.1\r\n" + HOST + FORM
LONG = b"Content-Length: 5000\r\n\r\n"
HUGE = b"Content-Length: 400000000\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Trickle:
    """What is sent at once, what is wanted in the end, and after how many seconds at the latest."""

    head: bytes
    outcome: str
    seconds: float


TRICKLES = {
    "nothing": Trickle(b"", "closed", 11),
    "a header": Trickle(POST + HOST, "closed", 11),
    "a second request": Trickle(b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n", "200 closed", 11),
    "a body of a stranger": Trickle(POST + HOST + JSON + LONG, "401 closed", 1),
    "a body with a key": Trickle(POST + HOST + KEY + JSON + LONG, "408 closed", 11),
    "chunks with a key": Trickle(
        POST + HOST + KEY + JSON + CHUNKED + b"fff\r\n", "408 closed", 11),
    "a form": Trickle(SIGN_IN + LONG, "408 closed", 31),
    "a body of another resource": Trickle(
        b"POST /api/v1/key HTTP/1.1\r\n" + HOST + JSON + LONG, "408 closed", 31),
}  # fmt: skip
FLOODS = {
    "completion": (POST + HOST + JSON + HUGE, "401 closed"),
    "chunked completion": (POST + HOST + JSON + CHUNKED, "401 closed"),
    "form": (SIGN_IN + HUGE, "413 closed"),
    "chunked form": (SIGN_IN + CHUNKED, "413 closed"),
    "file": (
        SIGN_IN.replace(FORM, b"Content-Type: multipart/form-data; boundary=x\r\n") + CHUNKED,
        "413 closed",
    ),
}
PIECE = b"x" * 65_536


def trickle(port: int, head: bytes, most_seconds: float = 35) -> tuple[str, float]:
    """Send the head and then a byte a second; how the server ended it, and after how long."""
    answers = b""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        connection.sendall(head)
        while time.monotonic() - began < most_seconds:
            try:
                part = connection.recv(65_536)
            except TimeoutError:
                with suppress(OSError):
                    connection.sendall(b"a")
                continue
            except ConnectionResetError:
                part = b""
            if not part:
                return " ".join([*statuses(answers), "closed"]), time.monotonic() - began
            answers += part
    return " ".join(statuses(answers)), most_seconds


def flood(port: int, head: bytes, size: int) -> tuple[str, int]:
    """Send a body as fast as it is taken; how the server ended it, and what it took."""
    sent, answers = 0, b""
    piece = b"10000\r\n%s\r\n" % PIECE if CHUNKED in head else PIECE
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        with suppress(OSError):
            connection.sendall(head)
            while sent < size:
                sent += connection.send(piece)
        # What the server said before it closed may be lost to the reset that follows.
        with suppress(OSError):
            while part := connection.recv(65_536):
                answers += part
    return " ".join([*statuses(answers), "closed"]), sent
