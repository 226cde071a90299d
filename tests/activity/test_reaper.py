from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from activity import reaper
from activity.journal import Journal
from activity.models import Attempt, Generation, Spend
from tests.activity.test_writer import make_settlement
from tests.factories import make_attempt, make_generation

DEAD, ALIVE = 41, 42
RESERVED = Decimal("0.5")


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.VAR_DIR = tmp_path
    return tmp_path / "journal"


@pytest.fixture
def alive(transactional_db: None) -> Iterator[None]:
    """The lock of a living worker, held by a connection of its own."""
    given = connection.get_connection_params()
    names = ("host", "port", "dbname", "user", "password")
    parameters = {name: given[name] for name in names if name in given}
    with psycopg.connect(**parameters, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [ALIVE])
        yield


def make_open(worker: int = DEAD, number: int = 1, **fields: Any) -> Generation:
    """An open row with a reservation, as its worker left it."""
    place = {"owner": "key:1", "period": "total"}
    row = make_generation(
        id=f"gen-{number}",
        status="open",
        settled_at=None,
        worker=worker,
        cost=0,
        reserved=RESERVED,
        reserved_in=[place],
        **fields,
    )
    make_attempt(row, status="open")
    spend, _ = Spend.objects.get_or_create(**place)
    Spend.objects.filter(pk=spend.pk).update(reserved=spend.reserved + RESERVED)
    return row


def status_of(row: Generation) -> str:
    row.refresh_from_db()
    return row.status


def reserved() -> Decimal:
    return Spend.objects.get(owner="key:1", period="total").reserved


def test_the_open_rows_of_a_dead_worker_are_interrupted(db: None) -> None:
    rows = [make_open(number=1), make_open(number=2)]

    ended = reaper.reap(silence_seconds=0)

    assert ended == 2
    assert [status_of(row) for row in rows] == ["interrupted"] * 2
    assert (reserved(), rows[0].cost) == (0, 0)
    assert set(Attempt.objects.values_list("status", flat=True)) == {"abandoned"}


def test_a_living_worker_keeps_its_rows(alive: None) -> None:
    row = make_open(worker=ALIVE)

    assert reaper.reap(silence_seconds=0) == 0
    assert (status_of(row), reserved()) == ("open", RESERVED)


def test_an_overdue_row_is_interrupted_whoever_lives(alive: None) -> None:
    row = make_open(worker=ALIVE, deadline=timezone.now() - timedelta(seconds=1))

    assert reaper.reap(silence_seconds=0) == 1
    assert (status_of(row), reserved()) == ("interrupted", 0)


def test_reaping_twice_releases_once(db: None) -> None:
    make_open()
    reaper.reap(silence_seconds=0)

    assert reaper.reap(silence_seconds=0) == 0
    assert reserved() == 0


def test_a_settled_row_is_left_alone(db: None) -> None:
    row = make_generation(worker=DEAD)

    assert reaper.reap(silence_seconds=0) == 0
    assert status_of(row) == "completed"


def test_a_database_that_has_just_started_condemns_nobody(db: None) -> None:
    row = make_open()

    assert reaper._database_up_for(10**9) is False
    assert status_of(row) == "open"


def journal_line(number: int = 1, **fields: Any) -> dict[str, Any]:
    return {"kind": "settlement", "row": make_settlement(number, **fields), "attempts": []}


def test_the_journal_of_a_dead_worker_is_replayed(db: None, folder: Path) -> None:
    row = make_open()
    Journal(folder, DEAD).append(journal_line(cost="0.25"))

    reaper.reap(silence_seconds=0)

    assert (status_of(row), row.cost) == ("completed", Decimal("0.25"))
    assert Spend.objects.get(owner="key:1", period="total").spent == Decimal("0.25")
    assert reserved() == 0
    assert list(folder.iterdir()) == []


def test_the_journal_of_a_living_worker_is_its_own(alive: None, folder: Path) -> None:
    row = make_open(worker=ALIVE)
    Journal(folder, ALIVE).append(journal_line())

    reaper.reap(silence_seconds=0)

    assert status_of(row) == "open"
    assert len(Journal(folder, ALIVE).read()) == 1


def test_a_journal_replayed_twice_charges_once(db: None, folder: Path) -> None:
    make_open()
    Journal(folder, DEAD).append(journal_line(cost="0.25"))
    Journal(folder, DEAD).append(journal_line(cost="0.25"))

    reaper.reap(silence_seconds=0)

    assert Spend.objects.get(owner="key:1", period="total").spent == Decimal("0.25")


def test_a_line_that_the_database_refuses_does_not_stop_the_reaper(db: None, folder: Path) -> None:
    refused, good, other = make_open(number=1), make_open(number=2), make_open(43, 3)
    Journal(folder, DEAD).append(journal_line(1, cached_tokens=10**9))
    Journal(folder, DEAD).append(journal_line(2, cost="0.25"))

    reaper.reap(silence_seconds=0)

    assert [status_of(row) for row in (refused, good, other)] == [
        "interrupted",
        "completed",
        "interrupted",
    ]
    assert reserved() == 0


def test_a_settlement_without_its_row_is_put_aside_and_told(
    db: None, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # As after a restore: the copy of the database is older than the journal.
    row = make_open(number=2)
    Journal(folder, DEAD).append(journal_line(1))
    Journal(folder, DEAD).append(journal_line(2))

    reaper.reap(silence_seconds=0)

    [aside] = folder.glob("*.rejected")
    assert (aside.name, b"gen-1" in aside.read_bytes()) == (f"{DEAD}.rejected", True)
    assert "gen-1 is in the journal, but not in the database" in caplog.text
    assert status_of(row) == "completed"


def test_a_journal_that_cannot_be_read_keeps_its_rows_and_stops_no_other(
    db: None, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As where another user wrote it; what it holds may settle them yet."""
    kept, other = make_open(number=1), make_open(43, 2)
    Generation.objects.update(deadline=timezone.now() - timedelta(hours=1))
    (folder / f"{DEAD}.jsonl").mkdir(parents=True)

    assert reaper.reap(silence_seconds=0) == 1

    assert [status_of(row) for row in (kept, other)] == ["open", "interrupted"]
    assert f"The journal {folder / str(DEAD)}.jsonl" in caplog.text


@contextmanager
def read_only() -> Iterator[None]:
    """A database that takes no row, as one that has become a standby."""
    setting = "SET default_transaction_read_only = {}"
    with connection.cursor() as cursor:
        cursor.execute(setting.format("on"))
        try:
            yield
        finally:
            cursor.execute(setting.format("off"))


def test_a_journal_waits_for_a_database_that_takes_no_row(
    transactional_db: None, folder: Path
) -> None:
    row = make_open()
    Journal(folder, DEAD).append(journal_line(cost="0.25"))

    with read_only():
        reaper.reap(silence_seconds=0)
    reaper.reap(silence_seconds=0)

    assert (status_of(row), row.cost) == ("completed", Decimal("0.25"))
    assert list(folder.iterdir()) == []
