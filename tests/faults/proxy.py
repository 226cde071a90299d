"""A TCP proxy that delays, slices, swallows, resets and holds back what passes through it.

It runs in a thread of its own, so that a test may drive it while its processes talk through it.
"""

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

READ_BYTES = 64 * 1024
# A marker may lie across two reads.
TAIL_BYTES = 64


@dataclass
class Faults:
    """What happens to traffic now; "up" is from the side that connected.

    `hold` keeps a connection's bytes back from the read that has the marker on; `deafen` passes
    them, and none of the replies that follow.
    """

    delay_seconds: float = 0.0
    jitter_seconds: float = 0.0
    slice_bytes: int = 0
    reset_share: float = 0.0
    cut_up_after: int | None = None
    cut_down_after: int | None = None
    hold: bytes = b""
    deafen: bytes = b""


@dataclass(eq=False)
class Link:
    """One connection through the proxy, with both of its sockets."""

    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    deaf: bool = False
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def reset(self) -> None:
        self.released.set()
        for writer in self.writers:
            peer: socket.socket = writer.get_extra_info("socket")
            if peer.family != socket.AF_UNIX:
                with suppress(OSError):
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class Proxy:
    """Listens on a port of its own in front of an address: host and port, or a Unix socket."""

    def __init__(self, target: tuple[str, int] | Path) -> None:
        self.target = target
        self.faults = Faults()
        self.links: set[Link] = set()
        self.caught = threading.Event()
        self.accepted = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._flowing = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def set(self, **faults: Any) -> None:
        """Replace every fault by these."""
        self.caught.clear()
        self.faults = Faults(**faults)

    def swallow(self) -> None:
        """Let nothing pass, as where packets are dropped; what was sent passes later."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def refuse(self) -> None:
        """Reset every connection and refuse new ones."""
        self._call(self._close())

    def reset(self) -> None:
        """Reset the connections that there are."""
        self._call(self._reset())

    def heal(self) -> None:
        """Pass everything on again; connections that were held back or deaf are reset."""
        self.set()
        self._call(self._heal())

    def _call(self, coroutine: Coroutine[Any, Any, None]) -> None:
        done: Future[None] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        done.result(timeout=10)

    async def _listen(self) -> None:
        self._flowing.set()
        self._server = await asyncio.start_server(
            self._converse, "127.0.0.1", self.port, backlog=1024, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._reset()

    async def _reset(self) -> None:
        for link in tuple(self.links):
            link.reset()

    async def _heal(self) -> None:
        for link in tuple(self.links):
            if link.deaf:
                link.reset()
        self._flowing.set()
        if self._server is None:
            await self._listen()

    async def _end(self) -> None:
        await self._close()
        # A connection that was accepted just now gets its task a moment later.
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(0.01)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link([writer])
        self.links.add(link)
        self.accepted += 1
        try:
            # Where packets are dropped, not even a handshake with the target comes about.
            await self._flowing.wait()
            there, onward = await self._connect()
            link.writers.append(onward)
            up = self._pump(link, reader, onward, is_up=True)
            down = self._pump(link, there, writer, is_up=False)
            await asyncio.gather(up, down)
        except (OSError, asyncio.CancelledError):
            link.reset()
        finally:
            self.links.discard(link)
            for one in link.writers:
                one.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.target, Path):
            return await asyncio.open_unix_connection(str(self.target))
        return await asyncio.open_connection(*self.target)

    async def _pump(
        self,
        link: Link,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        is_up: bool,
    ) -> None:
        passed, tail = 0, b""
        while data := await reader.read(READ_BYTES):
            faults = self.faults
            if is_up:
                await self._look(link, tail + data)
                tail = data[-TAIL_BYTES:]
            elif link.deaf:
                continue
            await self._flowing.wait()
            if faults.delay_seconds or faults.jitter_seconds:
                await asyncio.sleep(faults.delay_seconds + random.random() * faults.jitter_seconds)
            most = faults.cut_up_after if is_up else faults.cut_down_after
            left = len(data) if most is None else max(most - passed, 0)
            await _write(writer, data[:left], faults.slice_bytes)
            passed += len(data)
            if left < len(data) or random.random() < faults.reset_share:
                link.reset()
                return
        with suppress(OSError):
            writer.write_eof()

    async def _look(self, link: Link, data: bytes) -> None:
        faults = self.faults
        if faults.hold and faults.hold in data:
            # Held back until the connection is reset: what was held never arrives.
            link.deaf = True
            self.caught.set()
            await link.released.wait()
            raise ConnectionResetError
        if faults.deafen and faults.deafen in data:
            link.deaf = True
            self.caught.set()


async def _write(writer: asyncio.StreamWriter, data: bytes, slice_bytes: int) -> None:
    size = slice_bytes or len(data)
    for at in range(0, len(data), size or 1):
        writer.write(data[at : at + size])
        await writer.drain()
        if slice_bytes:
            await asyncio.sleep(0)
