"""HTTP/1.1 to providers, behind httpx's interface: a pool of connections, and no more than that."""

import asyncio
from collections import deque

import httpx

from routing.connection import Connection, Origin
from routing.connector import CONNECT_SECONDS, Connector

MOST_CONNECTIONS = 2000
KEEP_ALIVE_SECONDS = 30.0


class Transport(httpx.AsyncBaseTransport):
    """A pool of connections: no redirects, cookies, proxies or environment; nothing sent twice."""

    def __init__(self) -> None:
        self._connector = Connector()
        self._open: set[Connection] = set()
        # The newest last, which is used first.
        self._idle: dict[Origin, list[Connection]] = {}
        self._waiting: deque[tuple[Connection, asyncio.Future[Connection]]] = deque()
        self._sweeping: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; raises httpx.TransportError. The answer is read from its stream."""
        body = request.read()
        head = _head(request, len(body))
        connection = await self._connection(request.url)
        answer = connection.ask(head, body)
        try:
            await answer.head()
        except BaseException:
            answer.abort()
            raise
        extensions = {"abort": answer.abort, "expect_end": answer.expect_end}
        return httpx.Response(
            answer.status, headers=answer.headers, stream=answer, extensions=extensions
        )

    async def aclose(self) -> None:
        self._is_closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        for connection in tuple(self._open):
            connection.abort()
        while self._waiting:
            _, waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(httpx.ConnectError("The transport was closed."))
        # In the next turn of the event loop the sockets are closed.
        await asyncio.sleep(0)

    async def _connection(self, url: httpx.URL) -> Connection:
        """An idle connection, or a new one; raises httpx.TransportError."""
        origin = (url.scheme, url.netloc)
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.is_silent():
                return connection
            connection.abort()
        connection = Connection(self, origin)
        if len(self._open) < MOST_CONNECTIONS or self._drop_oldest():
            self._open.add(connection)
        else:
            given = await self._wait(connection)
            if given is not connection and given.is_silent():
                return given
            if given is not connection:
                given.abort()
                raise httpx.PoolTimeout("The connection that was waited for is gone.")
        try:
            await self._connector.connect(connection, url)
            if self._is_closed:
                raise httpx.ConnectError("The transport was closed.")
        except BaseException:
            connection.abort()
            self.forget(connection)
            raise
        return connection

    async def _wait(self, connection: Connection) -> Connection:
        """Wait for room for this connection, or for another to the same place."""
        waiter = asyncio.get_running_loop().create_future()
        entry = (connection, waiter)
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await waiter
        except BaseException as error:
            if entry in self._waiting:
                self._waiting.remove(entry)
            elif not waiter.cancelled() and waiter.exception() is None:
                # Given in the moment in which the caller left.
                waiter.result().abort()
                self.forget(waiter.result())
            if isinstance(error, TimeoutError):
                raise httpx.PoolTimeout("Too many connections are open.") from error
            raise

    def keep(self, connection: Connection) -> None:
        """Take an idle connection: for who waits for one, or for later."""
        loop = asyncio.get_running_loop()
        while self._waiting and self._waiting[0][1].done():
            self._waiting.popleft()
        if self._waiting and self._waiting[0][0].origin == connection.origin:
            self._waiting.popleft()[1].set_result(connection)
        elif self._waiting or self._is_closed:
            connection.abort()
        else:
            connection.idle_since = loop.time()
            self._idle.setdefault(connection.origin, []).append(connection)
            if self._sweeping is None:
                self._sweeping = loop.call_later(KEEP_ALIVE_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Close what was idle for too long; one timer serves them all."""
        loop = asyncio.get_running_loop()
        self._sweeping = None
        idle = [connection for kept in self._idle.values() for connection in kept]
        latest = loop.time() - KEEP_ALIVE_SECONDS
        for connection in idle:
            if connection.idle_since <= latest:
                connection.abort()
        self._idle = {origin: kept for origin, kept in self._idle.items() if kept}
        if self._idle:
            oldest = min(kept[0].idle_since for kept in self._idle.values())
            self._sweeping = loop.call_at(oldest + KEEP_ALIVE_SECONDS, self._sweep)

    def _drop_oldest(self) -> bool:
        """Make room by closing the connection that is idle for longest, if any is."""
        oldest = [kept[0] for kept in self._idle.values() if kept]
        if not oldest:
            return False
        connection = min(oldest, key=lambda connection: connection.idle_since)
        connection.abort()
        self._open.discard(connection)
        return True

    def forget_idle(self, connection: Connection) -> None:
        kept = self._idle.get(connection.origin, ())
        if connection in kept:
            kept.remove(connection)

    def forget(self, connection: Connection) -> None:
        """Give the room of a closed connection to who waits for it."""
        self.forget_idle(connection)
        if connection not in self._open:
            return
        self._open.discard(connection)
        while self._waiting:
            waiting, waiter = self._waiting.popleft()
            if not waiter.done():
                self._open.add(waiting)
                waiter.set_result(waiting)
                return


def _head(request: httpx.Request, length: int) -> bytes:
    url = request.url
    lines = [b"%b %b HTTP/1.1" % (request.method.encode(), url.raw_path), b"Host: " + url.netloc]
    lines += [b"%b: %b" % header for header in request.headers.raw]
    lines.append(b"Content-Length: %d\r\n\r\n" % length)
    head = b"\r\n".join(lines)
    # A line end inside of a value would begin a header that nobody meant.
    if head.count(b"\n") != len(lines) + 1 or head.count(b"\r") != len(lines) + 1:
        raise httpx.LocalProtocolError("A header holds a line end.")
    return head
