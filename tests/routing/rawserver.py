"""A server of raw bytes, which sees how its connections end, and how to ask it."""

import asyncio
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import httpx

from routing.transport import Transport

OK = b"HTTP/1.1 200 OK\r\n"
GOOD = OK + b"Content-Length: 2\r\n\r\n{}"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
MEGABYTE = 1024 * 1024

Script = Callable[["Peer"], Awaitable[Any]]


class Peer:
    """One connection, seen from the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.head, self.body = b"", b""

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    def send_now(self, data: bytes) -> None:
        """Send past the event loop; nothing stands for the end."""
        number = self.writer.transport.get_extra_info("socket").fileno()
        with socket.socket(fileno=os.dup(number)) as own:
            own.send(data) if data else own.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        self.writer.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0"
        )
        self.writer.transport.abort()


class Server:
    """Answers every request by its script, and counts connections and requests."""

    def __init__(self) -> None:
        self.port, self.accepted, self.asked = 0, 0, 0
        self.reads_bodies = True
        self.peers: list[Peer] = []
        self.script: Script = answering(GOOD)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def open(self) -> int:
        return len(self.peers)

    async def start(self, tls: ssl.SSLContext | None = None) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def stop(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        self._tasks.add(asyncio.current_task())
        self.accepted += 1
        self.peers.append(peer)
        try:
            while True:
                peer.head = await reader.readuntil(b"\r\n\r\n")
                length = int(peer.head.lower().partition(b"content-length: ")[2].split(b"\r")[0])
                peer.body = await reader.readexactly(length) if self.reads_bodies else b""
                self.asked += 1
                if await self._leaves(peer, self.script(peer)):
                    break
        except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            pass
        finally:
            self.peers.remove(peer)
            self._tasks.discard(asyncio.current_task())
            writer.transport.abort() if self.script is hang else writer.close()

    async def _leaves(self, peer: Peer, script: Awaitable[Any]) -> bool:
        """Run a script; true where it hangs up, or the other side does."""
        running = asyncio.ensure_future(script)
        gone = asyncio.ensure_future(departure(peer.reader))
        try:
            await asyncio.wait({running, gone}, return_when=asyncio.FIRST_COMPLETED)
            return gone.done() or await running is hang_up
        finally:
            for task in (running, gone):
                task.cancel()
            await asyncio.gather(running, gone, return_exceptions=True)

    async def all_closed(self) -> bool:
        """Whether every connection is closed within a second."""
        with suppress(TimeoutError):
            await until(lambda: not self.peers, seconds=1)
        return not self.peers


async def departure(reader: asyncio.StreamReader) -> None:
    await until(lambda: reader.at_eof() or reader.exception(), seconds=60)


async def hang(_: Peer) -> None:
    await asyncio.Event().wait()


def hang_up() -> None:
    """What a script returns that ends its connection."""


def answering(*pieces: bytes, ends: bool = False) -> Script:
    async def script(peer: Peer) -> Any:
        await peer.send(*pieces)
        return hang_up if ends else None

    return script


def pausing(*pieces: bytes) -> Script:
    """What sends each piece a moment after the one before it, so that each is read by itself."""

    async def script(peer: Peer) -> None:
        for piece in pieces:
            await peer.send(piece)
            await asyncio.sleep(0.05)

    return script


def hanging_after(*pieces: bytes) -> Script:
    async def script(peer: Peer) -> None:
        await peer.send(*pieces)
        await asyncio.Event().wait()

    return script


async def ask(
    sender: Transport, server: Server, body: bytes = b"{}", **headers: str
) -> httpx.Response:
    url = httpx.URL(f"http://127.0.0.1:{server.port}/v1/chat/completions")
    request = httpx.Request("POST", url, headers=headers, stream=httpx.ByteStream(body))
    return await sender.handle_async_request(request)


async def read(response: httpx.Response) -> bytes:
    try:
        return b"".join([part async for part in response.stream])
    finally:
        await response.aclose()


async def whole(sender: Transport, server: Server, body: bytes = b"{}") -> bytes:
    async with asyncio.timeout(5):
        return await read(await ask(sender, server, body))


async def until(condition: Callable[[], Any], seconds: float = 2) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.005)


async def leave(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
