"""Ends what a dead process left open: replays its journal, then interrupts the rest."""

import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, DataError, IntegrityError, connection, transaction

from activity import journal, ledger
from activity.models import Generation

logger = logging.getLogger(__name__)

# A worker takes its lock again within 2 s of a database restart; 5 s of silence mean death.
SILENCE_SECONDS = 5.0
MOST_ROWS = 1000
ROW_MISSING = (
    "Request %s is in the journal, but not in the database: was an older copy restored? "
    "It is kept in %s"
)


def journal_folder() -> Path:
    return settings.VAR_DIR / "journal"


def reap(
    silence_seconds: float = SILENCE_SECONDS, wait: Callable[[float], object] = time.sleep
) -> int:
    """End the open rows of dead workers and the overdue ones; how many rows it ended.

    Waits `silence_seconds` when a worker seems dead, to see it twice; a wait that comes back with
    something true ends it all. Safe to run twice, and beside a late settlement: both send the same
    guarded update.
    """
    suspects = _free(_owners())
    if suspects:
        if wait(silence_seconds):
            return 0
        suspects = _free(suspects) if _database_up_for(silence_seconds) else set()
    held_up = {worker for worker in suspects if not _is_replayed(worker)}
    ended = _interrupt(Generation.objects.open_of(suspects - held_up).ids(MOST_ROWS))
    # An end that waits in a journal is worth more than the deadline that has passed.
    ended += _interrupt(Generation.objects.overdue().not_of(held_up).ids(MOST_ROWS))
    if ended:
        logger.warning("%d generations of ended processes are now interrupted", ended)
    return ended


def _is_replayed(worker: int) -> bool:
    """Replay a worker's journal; one that cannot be keeps its rows open and holds up no other."""
    left = journal.Journal(journal_folder(), worker)
    try:
        replay(left)
    except (OSError, DatabaseError) as error:
        logger.error("The journal %s could not be replayed", left.path, exc_info=error)
        return False
    return True


def replay(left: journal.Journal) -> None:
    """Settle what a journal holds and delete it; rows already final stay as they are.

    A line that the database refuses for what it says is put aside, so that it holds up nothing
    else; so is one whose row is missing, as after a restore of an older copy.
    """
    for line in left.read():
        try:
            is_known = _settle(line)
        except (DataError, IntegrityError, KeyError) as error:
            logger.error("A journaled settlement is put aside", exc_info=error)
            left.reject(line)
        else:
            if not is_known:
                logger.error(ROW_MISSING, line["row"]["id"], left.path.with_suffix(".rejected"))
                left.reject(line)
    left.clear()


def _settle(line: dict[str, Any]) -> bool:
    """Settle a row unless it is final; whether there is such a row."""
    if line["kind"] != "settlement":
        return True
    with transaction.atomic(), connection.cursor() as cursor:
        statement = ledger.together(ledger.SETTLE, ledger.END_ATTEMPTS)
        cursor.execute(statement, [ledger.as_json([line["row"]]), ledger.as_json(line["attempts"])])
    return Generation.objects.filter(pk=line["row"]["id"]).exists()


def _owners() -> set[int]:
    """Workers that own open rows or left a journal."""
    owners = Generation.objects.open().values_list("worker", flat=True).distinct()
    return set(owners[:MOST_ROWS]) | set(journal.workers(journal_folder()))


def _free(workers: Iterable[int]) -> set[int]:
    """Those whose advisory lock nobody holds."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT w FROM unnest(%s::bigint[]) AS w WHERE NOT EXISTS ("
            "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
            "AND (classid::bigint << 32 | objid::bigint) = w)",
            [list(workers)],
        )
        return {worker for (worker,) in cursor.fetchall()}


def _database_up_for(seconds: float) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT clock_timestamp() - pg_postmaster_start_time() > make_interval(secs => %s)",
            [seconds],
        )
        return bool(cursor.fetchone()[0])


def _interrupt(ids: list[str]) -> int:
    if not ids:
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        statement = ledger.together(ledger.INTERRUPT, ledger.ABANDON_ATTEMPTS)
        cursor.execute(statement, [ids, ids])
    return len(ids)
