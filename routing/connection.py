"""One exchange over HTTP/1.1: a request that goes out, and the answer that llhttp reads.

An exchange has no task of its own: the caller's deadline bounds it, and leaving it aborts its
connection. Only where nothing but its end is to come, that is waited for behind the caller.
"""

import asyncio
import select
from typing import Any, Protocol

import httptools
import httpx

LARGEST_HEADER_BYTES = 64 * 1024
MOST_UNREAD_BYTES = 256 * 1024
# What is handed to the socket at once; the rest of a request waits for it to drain.
PIECE_BYTES = 64 * 1024
# The end of a body comes right behind what its reader knew to be the last of it.
END_SECONDS = 1.0
MOST_END_BYTES = 1024

Origin = tuple[str, bytes]


class Pool(Protocol):
    """What a connection tells of itself."""

    def keep(self, connection: "Connection") -> None: ...
    def forget(self, connection: "Connection") -> None: ...
    def forget_idle(self, connection: "Connection") -> None: ...


class RawAnswer(httpx.AsyncByteStream):
    """The answer of one exchange: llhttp calls the `on_` methods, one reader takes the body.

    It has a parser of its own, so that nothing is carried over from the answer before it.
    """

    def __init__(self, connection: "Connection") -> None:
        self._connection: Connection | None = connection
        self._parser: Any = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._error: httpx.HTTPError | None = None
        self._parts: list[bytes] = []
        self.unread_bytes = self._since_body = 0
        self._has_head = self.ended = self.is_reusable = False
        self._is_over = False
        self._ending: asyncio.TimerHandle | None = None
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []

    def on_message_begin(self) -> None:
        if self.ended:
            raise ValueError("more than one answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        # Those behind a chunked body are left out.
        if not self._has_head:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        size = sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > LARGEST_HEADER_BYTES or self.status < 100 or self.status == 101:
            raise ValueError("a head that cannot be used")
        self._has_head = self.status >= 200

    def on_body(self, part: bytes) -> None:
        self._parts.append(part)
        self.unread_bytes += len(part)
        self._since_body = 0

    def on_message_complete(self) -> None:
        if not self._has_head:  # 1xx: the answer follows
            self.headers = []
            return
        self.ended = True
        self.is_reusable = self._parser.should_keep_alive()

    def feed(self, data: bytes) -> None:
        """Take what arrived; a fault behind the end only keeps the connection from reuse."""
        if self.ended or self._error:
            self.is_reusable = False
            return
        had_head = self._has_head
        # Counts whatever is no body: a head, 1xx, the sizes of chunks, trailers.
        self._since_body += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.is_reusable = False
            self.fail(httpx.RemoteProtocolError("The answer is not HTTP."))
            return
        if self._since_body > LARGEST_HEADER_BYTES and not self.ended:
            self.fail(httpx.RemoteProtocolError("The answer's head is too large."))
        elif self._parts or self.ended or self._has_head != had_head:
            self._wake()

    def feed_end(self) -> None:
        """Take the end of the connection, which ends a body of no stated length alone."""
        framing = (b"content-length", b"transfer-encoding")
        is_framed = any(name.lower() in framing for name, _ in self.headers)
        if self._has_head and not is_framed and not self._error:
            self.ended = True
        self.fail(httpx.RemoteProtocolError("The provider closed before its answer ended."))

    def fail(self, error: httpx.HTTPError) -> None:
        """Let the reader have an error behind what it can read, unless all of it is here."""
        if not self.ended and self._error is None:
            self._error = error
        self._wake()

    def _wake(self) -> None:
        if self._ending is not None:
            if self.ended or self._error or self.unread_bytes > MOST_END_BYTES:
                self._let_go(is_good=True)
            return
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def _news(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    async def head(self) -> None:
        """Wait for status and headers."""
        while not self._has_head:
            if self._error is not None:
                raise self._error
            await self._news()

    def __aiter__(self) -> "RawAnswer":
        return self

    async def __anext__(self) -> bytes:
        while not self._parts:
            if self._error is not None:
                raise self._error
            if self.ended:
                raise StopAsyncIteration
            await self._news()
        parts = self._parts
        self._parts, self.unread_bytes = [], 0
        if self._connection is not None:
            self._connection.resume()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def expect_end(self) -> None:
        """Say that only the end is still to come: `aclose` then leaves it a moment to do so."""
        self._is_over = True

    async def aclose(self) -> None:
        """Let go of the connection: to be used again after a whole answer, else closed."""
        connection = self._connection
        if connection is None or self._ending is not None:
            return
        if not self._is_over or self.ended:
            self._let_go(is_good=True)
            return
        connection.resume()
        self._ending = asyncio.get_running_loop().call_later(END_SECONDS, self.abort)
        # There may be an error already, or too much.
        self._wake()

    def abort(self) -> None:
        self._let_go(is_good=False)

    def _let_go(self, *, is_good: bool) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._ending is not None:
            self._ending.cancel()
        # A parser and its answer hold each other.
        self._parser = None
        if is_good and self.ended and self.is_reusable:
            connection.finish()
            return
        self._parts, self.unread_bytes = [], 0
        connection.abort()


class Connection(asyncio.Protocol):
    """One connection to a provider: idle in its pool, or with one answer under way."""

    def __init__(self, pool: Pool, origin: Origin) -> None:
        self.origin = origin
        self.idle_since = 0.0
        self._pool = pool
        self._socket: Any = None
        self._answer: RawAnswer | None = None
        self._unsent = memoryview(b"")
        self._may_write = True
        self._is_paused = False

    @property
    def is_open(self) -> bool:
        return self._socket is not None and not self._socket.is_closing()

    def is_silent(self) -> bool:
        """Whether nothing has come in, neither bytes nor an end, that is not yet read.

        What an idle connection holds would be taken for the answer to the next request.
        """
        return self.is_open and not self._poll.poll(0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket = transport
        self._poll = select.poll()
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def ask(self, head: bytes, body: bytes) -> RawAnswer:
        """Send a request; what it brings comes to the answer."""
        if not self.is_open:
            raise httpx.ConnectError("The connection was closed before the request.")
        answer = self._answer = RawAnswer(self)
        if len(body) <= PIECE_BYTES:
            self._socket.write(head + body)
        else:
            self._socket.write(head)
            self._unsent = memoryview(body)
            self._send_on()
        return answer

    def _send_on(self) -> None:
        while self._unsent and self._may_write and self.is_open:
            piece, self._unsent = self._unsent[:PIECE_BYTES], self._unsent[PIECE_BYTES:]
            self._socket.write(piece)

    def pause_writing(self) -> None:
        self._may_write = False

    def resume_writing(self) -> None:
        self._may_write = True
        self._send_on()

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None:  # nobody asked
            self.abort()
            return
        answer.feed(data)
        if answer.unread_bytes > MOST_UNREAD_BYTES and not self._is_paused:
            self._is_paused = True
            self._socket.pause_reading()

    def resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            if self.is_open:
                self._socket.resume_reading()

    def eof_received(self) -> None:
        """Not asked for more, the connection closes itself."""
        if self._answer is None:
            self.abort()
        else:
            self._answer.feed_end()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None:
            kind = httpx.WriteError if self._unsent else httpx.ReadError
            self._answer.fail(kind("The connection to the provider broke."))
        self._socket = None
        self._pool.forget(self)

    def finish(self) -> None:
        """Be ready for the next exchange, or close if this one left anything behind."""
        self._answer = None
        if not self.is_open or self._unsent or self._socket.get_write_buffer_size():
            self.abort()
        else:
            self.resume()
            self._pool.keep(self)

    def abort(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.fail(httpx.ReadError("The connection was closed before the answer's end."))
        self._pool.forget_idle(self)
        if self._socket is not None:
            self._socket.abort()
