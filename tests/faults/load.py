"""Clients on real sockets: one that may do as it likes, and many at a steady rate."""

import asyncio
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

PATH = "/api/v1/chat/completions"
DONE = b"data: [DONE]\n\n"


@dataclass(eq=False)
class Seen:
    """What one client saw of its request.

    end: "done"; "error": told inside a stream; "refused": a status of 400 or more; "silent": a
    stream that stopped as if it were whole; "cut": the connection broke; "left": it hung up;
    "unreachable": no connection came about; "late": the client's own patience was over.
    """

    script: str
    stream: bool
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    end: str = ""
    seconds: float = 0.0

    @property
    def generation_id(self) -> str:
        return self.headers.get("x-generation-id", "")

    @property
    def answer(self) -> Any:
        return orjson.loads(self.body)

    def is_told_why(self) -> bool:
        """Whether a refusal is our envelope, with the status that it came with."""
        if not self.headers.get("content-type", "").startswith("application/json"):
            return False
        return self.answer["error"]["code"] == self.status


@dataclass(frozen=True)
class Ask:
    """A request, and how its client behaves; `leave_after` counts seconds or, whole, parts."""

    secret: str
    model: str = "faulty/ok"
    stream: bool = False
    leave_after: float | None = None
    resets: bool = False
    patience: float = 60.0
    port: int = 0
    fields: tuple[tuple[str, Any], ...] = ()

    def request(self) -> bytes:
        body = {
            "model": self.model,
            "stream": self.stream,
            "messages": [{"role": "user", "content": "Hello"}],
        } | dict(self.fields)
        return request_bytes(self.secret, orjson.dumps(body))


def request_bytes(secret: str, body: bytes, connection: str = "close") -> bytes:
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"Connection: {connection}\r\n\r\n"
    )
    return head.encode() + body


async def ask(port: int, wish: Ask) -> Seen:
    """Send a request and follow its answer to whatever end it takes."""
    seen = Seen(wish.model.rpartition("/")[2], wish.stream)
    started = time.monotonic()
    try:
        async with asyncio.timeout(wish.patience):
            await _converse(wish.port or port, wish, seen)
    except TimeoutError:
        seen.end = "late"
    except ConnectionRefusedError:
        seen.end = "unreachable"
    except (OSError, asyncio.IncompleteReadError):
        seen.end = seen.end or "cut"
    seen.seconds = time.monotonic() - started
    return seen


async def _converse(port: int, wish: Ask, seen: Seen) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    reading = asyncio.create_task(_read(reader, seen))
    try:
        writer.write(wish.request())
        await writer.drain()
        if wish.leave_after is None:
            await reading
            return
        await asyncio.wait((reading,), timeout=wish.leave_after)
        if reading.done():
            reading.result()
            return
        seen.end = "left"
        if wish.resets:
            reset(writer)
    finally:
        reading.cancel()
        with suppress(asyncio.CancelledError, OSError, asyncio.IncompleteReadError):
            await reading
        writer.close()


def reset(writer: asyncio.StreamWriter) -> None:
    peer: socket.socket = writer.get_extra_info("socket")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _read(reader: asyncio.StreamReader, seen: Seen) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status, *lines = head.rstrip("\r\n").split("\r\n")
    seen.status = int(status.split(" ")[1])
    pairs = (line.partition(":") for line in lines)
    seen.headers = {name.lower(): value.strip() for name, _, value in pairs}
    if "content-length" in seen.headers:
        seen.body = await reader.readexactly(int(seen.headers["content-length"]))
    else:
        await _read_chunks(reader, seen)
    seen.end = _end(seen)


async def _read_chunks(reader: asyncio.StreamReader, seen: Seen) -> None:
    while size := int(await reader.readuntil(b"\r\n"), 16):
        data = await reader.readexactly(size + 2)
        seen.body += data[:-2]
    await reader.readexactly(2)


def _end(seen: Seen) -> str:
    if seen.status >= 400:
        return "refused"
    if not seen.stream:
        return "done"
    if not seen.body.endswith(DONE):
        return "silent"
    return "error" if b'"error":{' in seen.body else "done"


def text_of(seen: Seen) -> str:
    """What a stream said."""
    lines = [line[6:] for line in seen.body.decode().split("\n") if line.startswith("data: {")]
    choices = [choice for line in lines for choice in orjson.loads(line)["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


class Clients:
    """A thread with clients that come at a steady rate, or when told to, and what they saw."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.seen: list[Seen] = []
        self._wanted = True
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._rates: list[Future[None]] = []
        self._thread.start()

    def send(self, wish: Ask) -> "Future[Seen]":
        return asyncio.run_coroutine_threadsafe(self._ask(wish), self._loop)

    def send_all(self, wishes: list[Ask]) -> list[Seen]:
        """Send at once and wait for all of them."""
        return [one.result() for one in [self.send(wish) for wish in wishes]]

    def keep_sending(self, choose: Callable[[], Ask], per_second: float) -> None:
        """Send what `choose` says at that rate, until `finish`."""
        sending = asyncio.run_coroutine_threadsafe(self._keep(choose, per_second), self._loop)
        self._rates.append(sending)

    def finish(self) -> list[Seen]:
        """Stop sending, wait until everyone has an end, and give what they saw."""
        self._wanted = False
        for rate in self._rates:
            rate.result(timeout=120)
        self._rates.clear()
        self._wanted = True
        return self.seen

    def close(self) -> None:
        self._wanted = False
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _ask(self, wish: Ask) -> Seen:
        seen = await ask(self.port, wish)
        self.seen.append(seen)
        return seen

    async def _keep(self, choose: Callable[[], Ask], per_second: float) -> None:
        running: set[asyncio.Task[Seen]] = set()
        next_at = time.monotonic()
        while self._wanted:
            task = asyncio.create_task(self._ask(choose()))
            running.add(task)
            task.add_done_callback(running.discard)
            next_at += 1 / per_second
            await asyncio.sleep(max(0.0, next_at - time.monotonic()))
        if running:
            await asyncio.wait(running)


def ends(seen: list[Seen]) -> Counter[str]:
    return Counter(one.end for one in seen)


def half_streams(secret: str, **fields: Any) -> Ask:
    """A JSON answer or, as often, a stream of a second or so."""
    if random.random() < 0.5:
        return Ask(secret, "faulty/ok", **fields)
    return Ask(secret, random.choice(("faulty/stream-20", "faulty/stream-60")), True, **fields)
