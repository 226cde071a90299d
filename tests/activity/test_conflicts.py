"""Writers that meet each other, rows that the database refuses, a disk that is full."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.db import connection

from activity import reaper
from activity.journal import Journal
from activity.ledger import BudgetExceeded
from activity.models import Generation, Rejection, Spend
from activity.writer import Writer
from tests.activity.test_reaper import DEAD, journal_line, make_open, status_of
from tests.activity.test_writer import make_attempt, make_intent, make_settlement, spend
from tests.conftest import in_db
from tests.factories import make_user
from tests.faults.test_races import Rows, until

OTHER = 43
# A completion may report no more cached tokens than its prompt has.
REFUSED = {"cached_tokens": 10**9}
FULL_DISK = """
import resource, sys
from pathlib import Path
from activity.journal import Journal

journal = Journal(Path(sys.argv[1]), 7)
journal.append({"id": "gen-1", "text": "x" * 700})
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
try:
    journal.append({"id": "gen-2", "text": "x" * 700})
except OSError:
    print("refused")
journal.append({"id": "gen-3"})
"""
# Settlements that come at once, as when the database goes, and a disk that takes some of them.
CROWDED_DISK = """
import resource, sys, threading
from pathlib import Path
from activity.journal import Journal

resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))

def keep(journal, number, together, kept):
    together.wait()
    try:
        journal.append({"id": number, "text": "x" * (100 + 37 * number)})
    except OSError:
        return
    kept.add(number)

for turn in range(20):
    journal, together, kept = Journal(Path(sys.argv[1]), turn), threading.Barrier(16), set()
    threads = [
        threading.Thread(target=keep, args=(journal, number, together, kept))
        for number in range(16)
    ]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(kept) < 16
    print(*(kept - {line["id"] for line in journal.read()}), end="")
"""


@pytest.fixture
async def user(async_db: None) -> Any:
    return await in_db(make_user)()


@pytest.fixture
async def writers(async_db: None, tmp_path: Path) -> AsyncIterator[list[Writer]]:
    """Two of them, as two worker processes have."""
    writers = [Writer(worker, tmp_path / str(worker)) for worker in (1, 2)]
    await asyncio.gather(*(writer.start() for writer in writers))
    yield writers
    await asyncio.gather(*(writer.close() for writer in writers))


@pytest.fixture
def rows(async_db: None) -> Iterator[Rows]:
    rows = Rows()
    yield rows
    rows.close()


@pytest.fixture
def new_connections(transactional_db: None) -> Iterator[Callable[[str], None]]:
    """Says what connections that are made from now on may do: as on a standby, "read only"."""
    change = f"ALTER DATABASE {connection.settings_dict['NAME']} SET "
    execute = connection.cursor().execute
    yield lambda mode: execute(f"{change} default_transaction_read_only = {mode == 'read only'}")
    execute(f"{change} default_transaction_read_only = off")


def limited(key: int) -> dict[str, Any]:
    return {"key_id": key, "budgets": ((f"key:{key}", "total", Decimal(1)),)}


def rejected(folder: Path, worker: int) -> list[str]:
    lines = (folder / f"{worker}.rejected").read_bytes().splitlines()
    return [orjson.loads(line)["row"]["id"] for line in lines]


async def test_a_settlement_waits_for_a_database_that_takes_no_row(
    writers: list[Writer], user: Any, new_connections: Callable[[str], None]
) -> None:
    writer, _ = writers
    await writer.open(make_intent(user), make_attempt())
    new_connections("read only")
    writer._disconnect()

    await writer.settle(make_settlement(), [])
    new_connections("read and write")
    await writer._flush()

    assert (await Generation.objects.aget()).status == "completed"
    assert list(writer.journal.path.parent.iterdir()) == []


async def test_writers_that_meet_in_opposite_order_refuse_nothing(
    writers: list[Writer], user: Any, rows: Rows
) -> None:
    first, second = writers
    await first.open(make_intent(user, 1, **limited(2)), make_attempt(1))
    await second.open(make_intent(user, 2, **limited(5)), make_attempt(2))
    rows.hold()

    meeting = asyncio.gather(
        first.open(make_intent(user, 3, **limited(5)), make_attempt(3)),
        first.settle(make_settlement(1), []),
        second.open(make_intent(user, 4, **limited(2)), make_attempt(4)),
        second.settle(make_settlement(2), []),
    )
    await until(lambda: rows.keep_waiting(2))
    rows.release()
    granted = await meeting

    assert granted == [Decimal("0.5"), None, Decimal("0.5"), None]
    reserved = {owner: amount for owner, (_, amount) in (await spend()).items()}
    assert reserved == {"key:2": Decimal("0.5"), "key:5": Decimal("0.5"), f"user:{user.pk}": 0}


async def test_refusals_are_counted_after_money_is_locked(
    writers: list[Writer], user: Any, rows: Rows
) -> None:
    # As in a reservation: in another order two writers would wait for each other.
    writer, _ = writers
    await writer.open(make_intent(user, 1), make_attempt(1))
    await writer.settle(make_settlement(1), [])
    await writer.open(make_intent(user, 2), make_attempt(2))
    rows._holder.execute("SELECT 1 FROM activity_spend FOR UPDATE")

    writer.reject(1, user.pk, 402, "out_of_credit")
    settling = asyncio.ensure_future(writer.settle(make_settlement(2), []))
    await until(lambda: rows.keep_waiting(1))
    rows._holder.execute("SET LOCAL lock_timeout = '200ms'")
    rows._holder.execute(
        "INSERT INTO activity_rejection (day, key_id, user_id, code, error_type, count) VALUES "
        "((now() AT TIME ZONE 'UTC')::date, 1, %s, 402, 'out_of_credit', 1)",
        [user.pk],
    )
    rows.release()
    await settling

    assert (await Rejection.objects.aget()).count == 1


async def test_two_writers_never_grant_the_same_room(
    writers: list[Writer], user: Any, rows: Rows
) -> None:
    await Spend.objects.acreate(owner="key:1", period="total")
    wanted = limited(1) | dict.fromkeys(("estimate", "ample", "minimum"), Decimal("0.6"))
    rows._holder.execute("SELECT 1 FROM activity_spend FOR UPDATE")

    meeting = asyncio.gather(
        *(
            writer.open(make_intent(user, number, **wanted), make_attempt(number))
            for number, writer in enumerate(writers, 1)
        ),
        return_exceptions=True,
    )
    await until(lambda: rows.keep_waiting(2))
    rows.release()
    granted = await meeting

    assert {type(one) for one in granted} == {Decimal, BudgetExceeded}
    assert (await spend())["key:1"] == (Decimal(0), Decimal("0.6"))


async def test_a_settlement_that_is_refused_does_not_keep_the_journal(
    writers: list[Writer], user: Any, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = writers[0]
    await writer.open(make_intent(user, 1), make_attempt(1))
    await writer.open(make_intent(user, 2), make_attempt(2))

    await writer.settle(make_settlement(1, **REFUSED), [])
    monkeypatch.setattr("activity.writer.SETTLE_SECONDS", 0.1)
    rows.hold()
    await writer.settle(make_settlement(2), [])
    kept = [line["row"]["id"] for line in writer.journal.read()]
    rows.release()
    await writer._flush()

    assert kept[-1] == "gen-2"
    assert writer.journal.read() == []
    assert rejected(writer.journal.path.parent, writer.worker) == ["gen-1"]
    assert (await Generation.objects.aget(id="gen-2")).status == "completed"


async def test_a_settlement_that_is_refused_later_leaves_the_journal(
    writers: list[Writer], user: Any, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = writers[0]
    await writer.open(make_intent(user), make_attempt())
    monkeypatch.setattr("activity.writer.SETTLE_SECONDS", 0.1)

    rows.hold()
    await writer.settle(make_settlement(**REFUSED), [])
    kept = [line["row"]["id"] for line in writer.journal.read()]
    rows.release()
    await writer._flush()

    assert kept == rejected(writer.journal.path.parent, writer.worker) == ["gen-1"]
    assert writer.journal.read() == []


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.VAR_DIR = tmp_path
    return tmp_path / "journal"


def test_a_line_that_the_database_refuses_is_put_aside(db: None, folder: Path) -> None:
    refused, good, other = make_open(number=1), make_open(number=2), make_open(OTHER, 3)
    Journal(folder, DEAD).append(journal_line(1, **REFUSED))
    Journal(folder, DEAD).append(journal_line(2, cost="0.25"))

    ended = reaper.reap(silence_seconds=0)

    assert ended == 2
    assert status_of(refused) == status_of(other) == "interrupted"
    assert (status_of(good), good.cost) == ("completed", Decimal("0.25"))
    assert rejected(folder, DEAD) == ["gen-1"]
    assert Journal(folder, DEAD).read() == []


def test_what_is_put_aside_is_not_replayed(db: None, folder: Path) -> None:
    make_open()
    Journal(folder, DEAD).append(journal_line(1, **REFUSED))

    reaper.reap(silence_seconds=0)
    reaper.reap(silence_seconds=0)

    assert rejected(folder, DEAD) == ["gen-1"]


def test_a_full_disk_is_an_error_and_leaves_whole_lines(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path)]

    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert done.stdout == "refused\n"
    assert [line["id"] for line in Journal(tmp_path, 7).read()] == ["gen-1", "gen-3"]


def test_a_settlement_that_the_disk_refuses_takes_no_other_with_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CROWDED_DISK, str(tmp_path)]

    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert done.stdout == ""
