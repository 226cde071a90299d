"""Good requests as bytes, spoilt at random; the same seed spoils the same way."""

import json
import socket
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.faults.framing import statuses

ANSWER_SECONDS, QUIET_SECONDS = 3.0, 0.2
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
FULL = {
    "model": "openrouter/auto",
    "models": ["faulty/ok"],
    "messages": [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": [{"type": "text", "text": "Grüße 🦊"}]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "content": "42", "tool_call_id": "call_1"},
    ],
    "stream": True,
    "temperature": 0.5,
    "max_tokens": 10,
    "stop": ["x"],
    "tools": [TOOL],
    "metadata": {"a": "b"},
    "provider": {"order": ["faulty"], "max_price": {"prompt": 10}},
    "plugins": [{"id": "auto-router", "allowed_models": ["*"], "cost_quality_tradeoff": 7}],
    "session_id": "talk",
    "user": "jane",
}
SHORT = {"model": "faulty/ok", "messages": [{"role": "user", "content": "Hello"}]}
STRANGE: list[Any] = [
    *(None, True, False, 0, -1, 1.5, 2**63, -(2**63), 10**400, 1e308, -0.0, "", "\0", "\ud800"),
    *("x", "x" * 5000, "\u202e🦊", "../../", "' OR 1=1--", "*", [], {}, [[]], [None], {"": None}),
    {"a": {}},
]  # fmt: skip
HEADERS = (
    *(b"Content-Type: text/plain", b"Content-Length: 99999999", b"Content-Length: 1", b"Host: x"),
    *(b"Transfer-Encoding: chunked", b"Content-Encoding: gzip", b"Expect: 100-continue"),
    *(b"X: \xff", b"Range: bytes=9-"),
    *(b"X-Session-Id: " + b"x" * 300, b"Authorization: Bearer x", b"Connection: upgrade", b"A: "),
    *(b"X-Title: <script>\xc3\xbc", b"Cookie: sessionid=" + b"x" * 5000, b"Accept: x"),
)  # fmt: skip
PATHS = (
    *("/api/v1/models", "/api/v1/key", "/api/v1/generation?id=gen-1-x", "/api/v1/nope", "/livez"),
    *("/readyz", "/sign-in", "/sign-in?next=/activity", "/activity?page=1", "/admin/", "/static/x"),
)
PIECES = (
    "%00",
    "%ff",
    "%0d%0a",
    "..",
    "//",
    "'",
    "?",
    "&",
    "=",
    "id=",
    "%",
    ";",
    "\u00fc",
    "9" * 30,
)


@dataclass
class Spoilt:
    """A request in its parts, as far as it has any."""

    line: bytes
    headers: list[bytes]
    body: bytes

    def raw(self) -> bytes:
        return b"\r\n".join([self.line, *self.headers, b"", self.body])


def make_request(seed: int, secret: str) -> bytes:
    """One to three things wrong with a good request."""
    random = Random(seed)
    value = deepcopy(random.choice((FULL, SHORT)))
    kinds = random.choices(tuple(KINDS), weights=tuple(KINDS.values()), k=random.randint(1, 3))
    for kind in kinds:
        if kind in VALUES:
            kind(random, value)
    request = _post(json.dumps(value).encode("utf-8", "surrogatepass"), secret)
    for kind in kinds:
        if kind not in VALUES:
            kind(random, request)
    return request.raw()


def _post(body: bytes, secret: str) -> Spoilt:
    headers = [
        b"Host: localhost",
        b"Connection: close",
        b"Authorization: Bearer " + secret.encode(),
    ]
    headers += [b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
    return Spoilt(b"POST /api/v1/chat/completions HTTP/1.1", headers, body)


def _place(random: Random, value: Any) -> tuple[Any, Any]:
    """A container somewhere in the value, and a key of it."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = random.choice(keys)
        if not isinstance(value[key], dict | list) or not value[key] or random.random() < 0.3:
            return value, key
        value = value[key]


def swap_value(random: Random, value: Any) -> None:
    inside, key = _place(random, value)
    inside[key] = deepcopy(random.choice(STRANGE))


def drop_value(random: Random, value: Any) -> None:
    inside, key = _place(random, value)
    # The root keeps a key, so that the next change finds a place.
    if len(inside) > 1:
        del inside[key]


def nest_value(random: Random, value: Any) -> None:
    inside, key = _place(random, value)
    for _ in range(random.choice((2, 60, 70, 400))):
        inside[key] = [inside[key]] if random.random() < 0.5 else {"a": inside[key]}


def repeat_value(random: Random, value: Any) -> None:
    inside, key = _place(random, value)
    inside[key] = [inside[key]] * random.choice((2, 130, 2001, 20_000))


def resize(request: Spoilt, body: bytes) -> None:
    """Another body, with its true length where the old one was given."""
    old, new = b"Content-Length: %d" % len(request.body), b"Content-Length: %d" % len(body)
    request.headers = [new if header == old else header for header in request.headers]
    request.body = body


def double_field(random: Random, request: Spoilt) -> None:
    resize(request, request.body.replace(b", ", b', "model": 1, "model": 2, ', 1))


def flip_body(random: Random, request: Spoilt) -> None:
    request.body = flip(random, request.body)


def cut_body(random: Random, request: Spoilt) -> None:
    kept = request.body[: random.randrange(len(request.body) + 1)]
    if random.random() < 0.9:
        resize(request, kept)
    else:
        request.body = kept


def fill_body(random: Random, request: Spoilt) -> None:
    at = random.randrange(len(request.body) + 1)
    noise = random.randbytes(random.choice((1, 10, 1000)))
    resize(request, request.body[:at] + noise + request.body[at:])


def flip_head(random: Random, request: Spoilt) -> None:
    at = random.randrange(-1, len(request.headers))
    if at < 0:
        request.line = flip(random, request.line)
    else:
        request.headers[at] = flip(random, request.headers[at])


def add_header(random: Random, request: Spoilt) -> None:
    request.headers.insert(random.randint(0, len(request.headers)), random.choice(HEADERS))


def drop_header(random: Random, request: Spoilt) -> None:
    if request.headers:
        request.headers.pop(random.randrange(len(request.headers)))


def double_header(random: Random, request: Spoilt) -> None:
    if request.headers:
        request.headers.append(random.choice(request.headers))


def other_path(random: Random, request: Spoilt) -> None:
    path = random.choice(PATHS)
    for _ in range(random.randint(0, 3)):
        at = random.randint(1, len(path))
        path = path[:at] + random.choice(PIECES) + path[at:]
    method = random.choice(("GET", "GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "BREW"))
    request.line = f"{method} {path} HTTP/1.1".encode()


def flip(random: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(min(len(changed), random.randint(1, 3))):
        changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed)


VALUES = (swap_value, drop_value, nest_value, repeat_value)
KINDS: dict[Callable[[Random, Any], None], int] = {
    swap_value: 6,
    drop_value: 2,
    nest_value: 1,
    repeat_value: 1,
    double_field: 1,
    flip_body: 3,
    cut_body: 2,
    fill_body: 2,
    flip_head: 3,
    add_header: 2,
    drop_header: 1,
    double_header: 1,
    other_path: 3,
}


def ask(port: int, request: bytes) -> list[str]:
    """The statuses of whatever is answered soon; a request may be one that still goes on."""
    answers = b""
    address = ("127.0.0.1", port)
    with suppress(OSError), socket.create_connection(address, ANSWER_SECONDS) as connection:
        connection.sendall(request)
        while part := connection.recv(65_536):
            answers += part
            connection.settimeout(QUIET_SECONDS)
    return statuses(answers)
