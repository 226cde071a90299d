"""Grouped, durable commits: one writer a process, one transaction a batch.

Whoever waits is answered by the commit that holds its row. A batch starts as soon as the one
before it is committed, so nothing waits for a clock and a busy process commits many rows at once.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg

from activity import connections, ledger
from activity.batch import Entry, Rejections, Statement, groups, parts
from activity.database import Database, Query
from activity.journal import Journal

logger = logging.getLogger(__name__)

LARGEST_BATCH = 256
# A request waits this long for the commit of its settlement, then the journal takes it.
SETTLE_SECONDS = 2.0
# A client is told within 3 s that its request cannot be recorded.
INTENT_SECONDS = 2.5
# Longer than the server's own limit for a statement: past it, the connection is given up.
COMMIT_SECONDS = 4.0
MOST_CONFLICTS = 3
RECONNECT_SECONDS = 0.25
COUNT_SECONDS = 2.0
# A checkpoint waits this long for a batch to ride with.
CHECKPOINT_SECONDS = 0.5

CONFLICTS = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
# One that became a standby takes no row on this connection, and says nothing of the row.
READ_ONLY = psycopg.errors.ReadOnlySqlTransaction
AWAY = (psycopg.OperationalError, psycopg.InterfaceError, READ_ONLY, OSError)

BEGIN: Query = ("BEGIN", ())
COMMIT: Query = ("COMMIT", ())
# The server may still read what a connection sent before we gave it up; those it ends are counted.
END_BACKENDS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = ANY($1)
"""


class DatabaseAway(Exception):
    """The database did not take a row; nothing was sent to a provider for it."""


class Writer:
    """Takes intents, attempts and settlements and commits them in groups."""

    def __init__(self, worker: int, folder: Path) -> None:
        self.worker = worker
        self.journal = Journal(folder, worker)
        self._queue: asyncio.Queue[Entry] = asyncio.Queue()
        self._reached: list[Entry] = []
        self._rejections: Rejections = Counter()
        # What the database did not take yet, and which of it the journal holds.
        self._unsettled: dict[str, Entry] = {}
        self._journaled: set[str] = set()
        self._database: Database | None = None
        self._name, self._connected_times = "", 0
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._tick())]

    async def close(self) -> None:
        """Commit what is queued, or leave it in the journal, and stop."""
        with suppress(TimeoutError, DatabaseAway):
            await self._flush()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for entry in list(self._unsettled.values()):
            await self._keep(entry)
        self._disconnect()

    async def open(self, intent: dict[str, Any], attempt: dict[str, Any]) -> Decimal:
        """Commit an intent with its first attempt; the amount reserved for it.

        Raises ledger.BudgetExceeded or DatabaseAway; then no row of it stays open.
        """
        entry = Entry("intent", intent | {"worker": self.worker}, [attempt])
        return await self._submit_within(INTENT_SECONDS, entry)

    async def attempt(self, attempt: dict[str, Any]) -> None:
        """Commit one more attempt before its first byte is sent; raises DatabaseAway."""
        await self._submit_within(INTENT_SECONDS, Entry("attempt", {}, [attempt]))

    def checkpoint(self, attempt: dict[str, Any]) -> None:
        """Note how far an answer has come; it rides with the next batch, or with one of its own."""
        self._reached.append(Entry("checkpoint", {}, [attempt]))
        if len(self._reached) == 1:
            loop = asyncio.get_running_loop()
            loop.call_later(CHECKPOINT_SECONDS, self._queue.put_nowait, Entry("marker", {}))

    async def settle(
        self,
        settlement: dict[str, Any],
        attempts: list[dict[str, Any]],
        along: tuple[Statement, ...] = (),
    ) -> None:
        """Commit a final state; when the database is away the journal has it and we go on."""
        entry = Entry("settlement", settlement, attempts, along)
        try:
            await self._submit(entry, SETTLE_SECONDS)
        except (TimeoutError, DatabaseAway):
            logger.warning("Settlement of %s waits in the journal", settlement["id"])
            await self._keep(entry)

    def reject(self, key_id: int, user_id: int, code: int, error_type: str) -> None:
        """Count a request that was refused before it became a generation."""
        self._rejections[key_id, user_id, code, error_type] += 1

    async def _keep(self, entry: Entry) -> None:
        """Put a settlement in the journal, once; a thread waits for the disk."""
        if entry.row["id"] in self._journaled:
            return
        self._journaled.add(entry.row["id"])
        await self._on_disk(self.journal.append, entry)

    async def _on_disk(self, write: Callable[[dict[str, Any]], None], entry: Entry) -> None:
        try:
            await asyncio.to_thread(write, _journal_line(entry))
        except OSError as error:
            # It is still in memory and is sent again; only a crash now would lose it.
            self._journaled.discard(entry.row["id"])
            logger.error("The journal cannot be written: %s", error.strerror)

    async def _submit_within(self, seconds: float, entry: Entry) -> Any:
        """Raises DatabaseAway after so long; what may still be committed is undone."""
        try:
            return await self._submit(entry, seconds)
        except TimeoutError as error:
            self._give_up(entry)
            raise DatabaseAway("it does not answer") from error
        except asyncio.CancelledError:
            self._give_up(entry)
            raise

    def _give_up(self, entry: Entry) -> None:
        if not entry.is_taken:
            entry.withdraw()
        elif entry.kind == "intent":
            self._undo(entry)

    def _undo(self, intent: Entry) -> None:
        """End an intent that nobody answered for: its commit may have arrived, or may yet."""
        row = {"id": intent.row["id"], "sent_by": self._name}
        self._unsettled[intent.row["id"]] = Entry("undo", row)

    async def _submit(self, entry: Entry, seconds: float) -> Any:
        """Wait for the commit of an entry; raises TimeoutError after so long."""
        loop = asyncio.get_running_loop()
        entry.done = loop.create_future()
        self._queue.put_nowait(entry)
        timer = loop.call_later(seconds, _answer, entry, TimeoutError())
        try:
            return await entry.done
        finally:
            timer.cancel()

    async def _flush(self) -> None:
        """Commit what is queued, and once more what had failed before."""
        for _ in range(2):
            await self._submit(Entry("marker", {}), SETTLE_SECONDS)

    async def _tick(self) -> None:
        """Send what nobody waits for: counts of refusals, settlements that failed before."""
        while True:
            await asyncio.sleep(COUNT_SECONDS)
            if self._rejections or self._unsettled:
                self._queue.put_nowait(Entry("marker", {}))

    async def _run(self) -> None:
        while True:
            batch = [await self._queue.get()]
            # A turn of the event loop later, who is as far on rides along.
            await asyncio.sleep(0)
            while len(batch) < LARGEST_BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            batch += self._take_along()
            for entry in batch:
                entry.is_taken = True
            again = [entry for entry in self._unsettled.values() if entry not in batch]
            for group in groups(batch + again[:LARGEST_BATCH]):
                await self._write(group)

    def _take_along(self) -> list[Entry]:
        """What waits for a batch to ride with."""
        along, self._reached = self._reached, []
        if self._rejections:
            along.append(Entry("refusals", {"counts": self._rejections}))
            self._rejections = Counter()
        return along

    async def _write(self, batch: list[Entry]) -> None:
        """Commit a batch, or tell each of its waiters why not; never raises."""
        try:
            if batch[0].kind == "undo" and not await self._is_over_for(batch):
                return
            results = await self._commit(batch)
        except AWAY as error:
            await self._fail(batch, error)
        except Exception:  # noqa: BLE001 - a row that cannot be written must not take its batch along
            for entry in batch:
                await self._write_one(entry)
        else:
            self._finish(results)

    async def _write_one(self, entry: Entry) -> None:
        try:
            results = await self._commit([entry])
        except AWAY as error:
            await self._fail([entry], error)
        except Exception as error:  # noqa: BLE001 - nor end the writer
            await self._refused(entry, error)
        else:
            self._finish(results)

    async def _refused(self, entry: Entry, error: Exception) -> None:
        logger.error("A row could not be written: %s", entry.kind, exc_info=error)
        if entry.kind == "settlement":
            await self._on_disk(self.journal.reject, entry)
            self._settled(entry)
            # It is put aside for good: the journal must not take it once more.
            _answer(entry, None)
            return
        self._unsettled.pop(entry.row.get("id", ""), None)
        _answer(entry, DatabaseAway(f"it cannot be written: {type(error).__name__}"))

    async def _fail(self, batch: list[Entry], error: Exception) -> None:
        logger.warning("The database is away: %s", type(error).__name__)
        self._disconnect()
        for entry in batch:
            if entry.kind == "settlement":
                self._unsettled[entry.row["id"]] = entry
            elif entry.kind == "intent":
                self._undo(entry)
            elif entry.kind == "refusals":
                self._rejections.update(entry.row["counts"])
            _answer(entry, DatabaseAway(type(error).__name__))
        await asyncio.sleep(RECONNECT_SECONDS)

    def _finish(self, results: list[tuple[Entry, Any]]) -> None:
        for entry, result in results:
            self._settled(entry)
            _answer(entry, result)

    def _settled(self, entry: Entry) -> None:
        if entry.kind not in ("settlement", "undo"):
            return
        self._unsettled.pop(entry.row["id"], None)
        if entry.row["id"] in self._journaled:
            self._journaled.discard(entry.row["id"])
            if not self._journaled:
                self._clear_journal()

    def _clear_journal(self) -> None:
        try:
            self.journal.clear()
        except OSError as error:
            # All of it is settled; whoever sends it once more changes nothing.
            logger.error("The journal cannot be deleted: %s", error.strerror)

    async def _commit(self, entries: list[Entry]) -> list[tuple[Entry, Any]]:
        """One transaction, tried again where another one was in its way."""
        for _ in range(MOST_CONFLICTS):
            try:
                async with asyncio.timeout(COMMIT_SECONDS):
                    return await self._commit_once(entries)
            except CONFLICTS:
                logger.warning("A batch met another one and is sent again")
        async with asyncio.timeout(COMMIT_SECONDS):
            return await self._commit_once(entries)

    async def _commit_once(self, entries: list[Entry]) -> list[tuple[Entry, Any]]:
        """One round trip, commit included, unless budgets must be looked at first."""
        database = await self._connected()
        if any(entry.row.get("budgets") for entry in entries):
            granted = await self._commit_limited(database, entries)
            return [(entry, granted.get(id(entry))) for entry in entries]
        await database.run(*_statements(entries))
        return [(entry, None) for entry in entries]

    async def _commit_limited(self, database: Database, entries: list[Entry]) -> dict[int, Any]:
        """The same with reservations; by entry, what it was granted or what refuses it."""
        limited = [entry for entry in entries if entry.row.get("budgets")]
        wanted = [
            {"owner": owner, "kind": kind}
            for entry in limited
            for owner, kind, _ in entry.row["budgets"]
        ]
        add, lock = _query(ledger.ADD_SPEND_ROWS, wanted), _query(ledger.LOCK_SPEND_ROWS, wanted)
        try:
            *_, spent = await database.run(BEGIN, add, lock)
            books = ledger.Books(spent)
            granted = {id(entry): _reserve(books, entry) for entry in limited}
            admitted = [e for e in entries if not isinstance(granted.get(id(e)), Exception)]
            reserve = _query(ledger.RESERVE, books.added())
            await database.run(reserve, *_statements(admitted), COMMIT)
        except BaseException:
            # What is begun ends with its connection.
            database.close()
            raise
        return granted

    async def _is_over_for(self, undone: list[Entry]) -> bool:
        """Whether no connection that we gave up can still commit what is to be undone."""
        async with asyncio.timeout(COMMIT_SECONDS):
            database = await self._connected()
            senders = {entry.row["sent_by"] for entry in undone} - {self._name}
            if not senders:
                return True
            [ended] = await database.run((END_BACKENDS, [list(senders)]))
            return not ended

    async def _connected(self) -> Database:
        if self._database is None or self._database.closed:
            self._connected_times += 1
            self._name = f"autorouter-writer-{self.worker}-{self._connected_times}"
            self._database = await connections.database(self._name)
        return self._database

    def _disconnect(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None


def _query(statement: str, rows: list[dict[str, Any]]) -> Query:
    return ledger.numbered(statement), (ledger.as_json(rows),)


def _statements(entries: list[Entry]) -> list[Query]:
    """The one statement that writes a group, or none where there is nothing to write."""
    given = parts(entries)
    statement = ledger.numbered(ledger.together(*(part for part, _ in given)))
    return [(statement, [rows for _, rows in given])] if given else []


def _reserve(books: ledger.Books, intent: Entry) -> Decimal | ledger.BudgetExceeded:
    try:
        return books.reserve(intent.row)
    except ledger.BudgetExceeded as refusal:
        return refusal


def _journal_line(entry: Entry) -> dict[str, Any]:
    return {"kind": entry.kind, "row": entry.row, "attempts": entry.attempts}


def _answer(entry: Entry, result: Any) -> None:
    if entry.done is None or entry.done.done():
        return
    if isinstance(result, Exception):
        entry.done.set_exception(result)
    else:
        entry.done.set_result(result)
