"""One request to the faulty upstream, and the socket that its script may abuse."""

import asyncio
import json
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_HEAD_BYTES = 1024 * 1024
MAX_BODY_BYTES = 64 * 1024 * 1024
REASONS = {200: "OK", 404: "Not Found", 429: "Too Many Requests", 503: "Service Unavailable"}


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Read the next request of a connection; None once the peer has closed it."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        pairs = (line.partition(":") for line in lines if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        length = min(int(headers.get("content-length", "0")), MAX_BODY_BYTES)
        body = await reader.readexactly(length)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError):
        return None
    return Request(method, path, headers, body)


@dataclass
class Attempt:
    """What was asked, and how much of an answer has reached the socket."""

    request: Request
    writer: asyncio.StreamWriter
    number: int
    script: str
    keep_alive: bool = False
    bytewise: bool = False
    completion_tokens_written: int = 0
    usage_reported: Any = None
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def model(self) -> str:
        return str(self.body.get("model"))

    @property
    def stream(self) -> bool:
        return self.body.get("stream") is True

    @property
    def kind(self) -> str:
        return "text/event-stream" if self.stream else "application/json"

    @property
    def prompt_tokens(self) -> int:
        return 1 + len(json.dumps(self.body.get("messages"))) // 4

    async def send(self, data: bytes) -> None:
        """Write, and wait until the kernel has it all: only that counts as written."""
        size = 1 if self.bytewise else len(data)
        for at in range(0, len(data), size):
            self.writer.write(data[at : at + size])
            await self.writer.drain()

    async def send_head(self, status: int = 200, **headers: str) -> None:
        await self.send(head(status, **headers))

    async def send_chunk(self, data: bytes) -> None:
        if not data:
            # An empty chunk would be the last one.
            return
        await self.send(b"%x\r\n%b\r\n" % (len(data), data))

    async def end_chunks(self) -> None:
        await self.send(b"0\r\n\r\n")
        self.keep_alive = True

    async def respond(self, status: int, body: bytes, **headers: str) -> None:
        """Send a whole and well-formed response; an underscore stands for a dash in a name."""
        fields = {"content_type": "application/json", "content_length": str(len(body))} | headers
        await self.send(head(status, **fields) + body)
        self.keep_alive = True

    async def reset(self) -> None:
        """Close with RST, after the peer had the time to read what was sent."""
        await asyncio.sleep(0.05)
        peer: socket.socket = self.writer.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


def head(status: int, **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Whatever')}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def error_body(status: int, message: str) -> bytes:
    return as_json({"error": {"message": message, "type": "upstream_error", "code": status}})
