"""A connection to PostgreSQL that runs prepared statements, awaited without psycopg's cursors.

psycopg connects, converts and speaks the protocol. Only the waiting is ours: its cursors register
with the event loop anew for each statement, which took 125 us of CPU where this takes 50.
"""

import asyncio
import select
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, PGresult

# A statement with $1, $2, ... and its parameters.
Query = tuple[str, Sequence[Any]]
Rows = list[tuple[Any, ...]]
# Text and types of a statement that is being prepared, and its name; without a name, for once.
_Key = tuple[str, tuple[int, ...]]
_New = tuple[_Key, bytes]

# Statements are prepared until there are so many; a batch combines a few dozen.
MOST_PREPARED = 200
FAILED = (ExecStatus.FATAL_ERROR, ExecStatus.PIPELINE_ABORTED)


class Database:
    """One connection, for one caller at a time; whoever is cancelled in a call closes it."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        """Takes over a connection in autocommit mode that nobody else uses."""
        self._pq = connection.pgconn
        self._pq.enter_pipeline_mode()
        self._convert = Transformer(connection)
        self._prepared: dict[_Key, bytes] = {}
        self._prepared_times = 0
        self._results: list[PGresult] = []
        self._answered: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._socket = self._pq.socket
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._is_writing = False
        self.closed = False
        self._loop.add_reader(self._socket, self._readable)

    def close(self) -> None:
        """Leave at once, whatever the server still does."""
        if not self.closed:
            self.closed = True
            # libpq may have closed the socket already, which asyncio may trip over.
            for remove in (self._loop.remove_reader, self._loop.remove_writer):
                with suppress(OSError):
                    remove(self._socket)
            self._pq.finish()

    async def run(self, *queries: Query) -> list[Rows]:
        """The rows of each query; all are sent at once and, without BEGIN, are one transaction.

        Raises psycopg.Error, of which an OperationalError may have closed the connection.
        """
        self._answered = self._loop.create_future()
        try:
            prepared = [new for query in queries for new in self._send(*query)]
            self._pq.pipeline_sync()
            self._flush()
            await self._answered
        except BaseException:
            self.close()
            raise
        finally:
            self._answered = None
            results, self._results = self._results, []
        return list(self._read(results, prepared))

    def _send(self, text: str, parameters: Sequence[Any]) -> list[_New | None]:
        """Send one query; for each result to come, what it prepares or None."""
        values = self._convert.dump_sequence(parameters, [PyFormat.TEXT] * len(parameters))
        # A small number and a large one are of different types.
        types = tuple(self._convert.types or ())
        name = self._prepared.get((text, types))
        if name is not None:
            self._pq.send_query_prepared(name, values)
            return [None]
        name = b""
        if len(self._prepared) < MOST_PREPARED:
            # Never the same name again: of one that failed we do not know whether it exists.
            self._prepared_times += 1
            name = b"autorouter_%d" % self._prepared_times
        self._pq.send_prepare(name, text.encode(), types)
        self._pq.send_query_prepared(name, values)
        return [((text, types), name), None]

    def _read(self, results: list[PGresult], prepared: list[_New | None]) -> Iterator[Rows]:
        for at, result in enumerate(results):
            # One more than was asked for is what the commit at the end says against them all.
            if result.status in FAILED:
                raise error_from_result(result)
            new = prepared[at]
            if new is None:
                self._convert.set_pgresult(result)
                yield self._convert.load_rows(0, result.ntuples, tuple)
            elif new[1]:
                self._prepared[new[0]] = new[1]

    def _flush(self) -> None:
        """Send what is buffered; what the socket does not take now, when it does."""
        try:
            is_left = bool(self._pq.flush())
        except psycopg.OperationalError as error:
            self._broke(error)
            return
        if is_left and not self._is_writing:
            self._loop.add_writer(self._socket, self._flush)
        elif self._is_writing and not is_left:
            self._loop.remove_writer(self._socket)
        self._is_writing = is_left

    def _readable(self) -> None:
        if self.closed:
            return
        try:
            self._pq.consume_input()
            # Who was cancelled a moment ago has not closed us yet.
            if self._answered is not None and not self._answered.done():
                self._take_results()
        except psycopg.OperationalError as error:
            self._broke(error)
            return
        # uvloop tells of a reset once, even if there was something to read before it.
        if self._poll.poll(0):
            self._loop.call_soon(self._readable)

    def _take_results(self) -> None:
        """Take what has arrived: of each query its result and None, then that all are answered."""
        is_between = False
        while not self._pq.is_busy():
            result = self._pq.get_result()
            if result is None:
                if is_between:
                    raise psycopg.OperationalError("the server ended the connection")
                is_between = True
                continue
            is_between = False
            if result.status == ExecStatus.PIPELINE_SYNC:
                self._answered.set_result(None)
                return
            self._results.append(result)

    def _broke(self, error: psycopg.OperationalError) -> None:
        self.close()
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(error)
