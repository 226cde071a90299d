import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from psycopg import AsyncConnection, OperationalError

from activity.database import Database, Query
from activity.ledger import BudgetExceeded
from activity.models import Attempt, Generation, Rejection, Spend
from activity.writer import BEGIN, DatabaseAway, Writer
from tests.conftest import in_db
from tests.factories import make_user

COST = "0.000000005"


@pytest.fixture
async def user(async_db: None) -> Any:
    return await in_db(make_user)()


@pytest.fixture
async def writer(async_db: None, tmp_path: Path) -> AsyncIterator[Writer]:
    writer = Writer(77, tmp_path / "journal")
    await writer.start()
    yield writer
    await writer.close()


def make_intent(user: Any, number: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"gen-{number}",
        "deadline_seconds": 60.0,
        "user_id": user.pk,
        "key_id": 1,
        "key_name": "Laptop",
        "app": "",
        "session": "",
        "end_user": "",
        "requested_model": "openrouter/auto",
        "routed_model": "a/one",
        "provider": "Up",
        "streamed": False,
        "prices": {},
        "decision": {},
        "budgets": (),
        "estimate": Decimal("0.5"),
        "ample": Decimal("0.5"),
        "minimum": Decimal("0.5"),
    } | fields


def make_attempt(number: int = 1, order: int = 1) -> dict[str, Any]:
    names = {"model": "a/one", "provider": "Up", "upstream_model": "one"}
    return {"generation_id": f"gen-{number}", "number": order} | names


def make_settlement(number: int = 1, **fields: Any) -> dict[str, Any]:
    texts = ("upstream_id", "native_finish_reason", "error_type")
    counts = ("cached_tokens", "cache_write_tokens", "reasoning_tokens")
    return {
        "id": f"gen-{number}",
        "status": "completed",
        "routed_model": "a/one",
        "provider": "Up",
        "attempts": 1,
        "finish_reason": "stop",
        "error_code": None,
        "usage_source": "upstream",
        "usage_anomaly": False,
        "cost": COST,
        "prices": {},
        "cost_lines": [],
        "first_token_ms": None,
        "latency_ms": 5,
        "prompt_tokens": 10,
        "completion_tokens": 5,
        **dict.fromkeys(texts, ""),
        **dict.fromkeys(counts, 0),
    } | fields


async def spend() -> dict[str, tuple[Decimal, Decimal]]:
    rows = Spend.objects.filter(period="total")
    return {row.owner: (row.spent, row.reserved) async for row in rows}


async def test_an_intent_is_committed_before_open_returns(writer: Writer, user: Any) -> None:
    await writer.open(make_intent(user), make_attempt())

    row = await Generation.objects.aget()
    assert (row.id, row.status, row.worker) == ("gen-1", "open", 77)
    assert (await Attempt.objects.aget()).status == "open"


async def test_a_settlement_is_final_and_moves_its_cost(writer: Writer, user: Any) -> None:
    await writer.open(make_intent(user), make_attempt())

    await writer.settle(make_settlement(), [])

    row = await Generation.objects.aget()
    assert (row.status, row.cost, row.prompt_tokens) == ("completed", Decimal(COST), 10)
    assert await spend() == {
        "key:1": (Decimal(COST), Decimal(0)),
        f"user:{user.pk}": (Decimal(COST), Decimal(0)),
    }


async def test_a_second_settlement_changes_nothing(writer: Writer, user: Any) -> None:
    await writer.open(make_intent(user), make_attempt())
    await writer.settle(make_settlement(), [])

    await writer.settle(make_settlement(status="failed", cost="1"), [])

    assert (await Generation.objects.aget()).status == "completed"
    assert (await spend())["key:1"] == (Decimal(COST), Decimal(0))


async def test_an_attempt_that_comes_after_the_settlement_is_not_recorded(
    writer: Writer, user: Any
) -> None:
    await writer.open(make_intent(user), make_attempt())
    await writer.settle(make_settlement(), [])

    await writer.attempt(make_attempt(order=2))

    assert [attempt.number async for attempt in Attempt.objects.all()] == [1]


async def test_many_at_once_are_all_committed(writer: Writer, user: Any) -> None:
    numbers = range(1, 301)

    await asyncio.gather(*(writer.open(make_intent(user, n), make_attempt(n)) for n in numbers))
    await asyncio.gather(*(writer.settle(make_settlement(n), []) for n in numbers))

    assert await Generation.objects.filter(status="completed").acount() == 300
    assert (await spend())["key:1"] == (300 * Decimal(COST), Decimal(0))


async def test_a_batch_reserves_in_the_order_of_arrival(writer: Writer, user: Any) -> None:
    budgets = (("key:1", "total", Decimal(1)),)
    intents = [make_intent(user, n, budgets=budgets) for n in (1, 2, 3)]

    results = await asyncio.gather(
        *(writer.open(intent, make_attempt(n)) for n, intent in enumerate(intents, 1)),
        return_exceptions=True,
    )

    assert results[:2] == [Decimal("0.5"), Decimal("0.5")]
    assert isinstance(results[2], BudgetExceeded)
    assert sorted([row.id async for row in Generation.objects.all()]) == ["gen-1", "gen-2"]
    assert (await spend())["key:1"] == (Decimal(0), Decimal(1))


async def test_a_settlement_releases_what_was_reserved(writer: Writer, user: Any) -> None:
    budgets = (("key:1", "total", Decimal(1)), (f"user:{user.pk}", "total", Decimal(1)))
    await writer.open(make_intent(user, budgets=budgets), make_attempt())

    await writer.settle(make_settlement(), [])

    assert set((await spend()).values()) == {(Decimal(COST), Decimal(0))}


async def test_one_refused_row_does_not_take_its_batch_with_it(writer: Writer, user: Any) -> None:
    wrong = make_intent(user, 2, streamed=None)

    results = await asyncio.gather(
        writer.open(make_intent(user, 1), make_attempt(1)),
        writer.open(wrong, make_attempt(2)),
        writer.open(make_intent(user, 3), make_attempt(3)),
        return_exceptions=True,
    )

    assert [type(result) for result in results] == [type(None), DatabaseAway, type(None)]
    assert sorted([row.id async for row in Generation.objects.all()]) == ["gen-1", "gen-3"]


async def test_refusals_are_counted_by_key_and_reason(writer: Writer, user: Any) -> None:
    writer.reject(1, user.pk, 400, "invalid_request")
    writer.reject(1, user.pk, 400, "invalid_request")
    writer.reject(1, user.pk, 404, "not_found")
    await writer._flush()

    counts = {row.error_type: row.count async for row in Rejection.objects.all()}
    assert counts == {"invalid_request": 2, "not_found": 1}


# A key whose owner is changed meanwhile; what no error of ours says today.
UNCOUNTABLE = [
    [(1, 5, 403, "x"), (1, 6, 403, "x")],
    [(1, 5, 403, "x" * 61)],
    [(1, 5, 40_000, "x")],
]


@pytest.mark.parametrize("refusals", UNCOUNTABLE)
async def test_refusals_that_cannot_be_counted_stop_no_request(
    writer: Writer, user: Any, refusals: list[tuple[int, int, int, str]]
) -> None:
    [writer.reject(*refusal) for refusal in refusals]

    await writer.open(make_intent(user), make_attempt())

    assert await Generation.objects.acount() == 1


@pytest.fixture
def outage(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """While it holds True, connections are refused and those that are open break."""
    away = [False]
    connect, run = AsyncConnection.connect, Database.run

    async def refuse(**parameters: Any) -> Any:
        if away[0]:
            raise OperationalError("connection refused")
        return await connect(**parameters)

    async def breaking(self: Database, *queries: Query) -> Any:
        if away[0]:
            self.close()
            raise OperationalError("server closed the connection unexpectedly")
        return await run(self, *queries)

    monkeypatch.setattr(AsyncConnection, "connect", refuse)
    monkeypatch.setattr(Database, "run", breaking)
    return away


async def test_without_a_database_no_intent_is_accepted(
    writer: Writer, user: Any, outage: list[bool]
) -> None:
    outage[0] = True

    with pytest.raises(DatabaseAway):
        await writer.open(make_intent(user), make_attempt())

    outage[0] = False
    await writer._flush()
    assert not await Generation.objects.aexists()


async def test_without_a_database_a_settlement_waits_in_the_journal(
    writer: Writer, user: Any, outage: list[bool]
) -> None:
    await writer.open(make_intent(user), make_attempt())
    outage[0] = True

    await writer.settle(make_settlement(), [])

    assert [line["row"]["id"] for line in writer.journal.read()] == ["gen-1"]


async def outlast_an_outage(writer: Writer, user: Any, outage: list[bool]) -> None:
    """A settlement that was made while the database was away; it is back now."""
    await writer.open(make_intent(user), make_attempt())
    outage[0] = True
    await writer.settle(make_settlement(), [])
    outage[0] = False


async def test_a_database_that_is_back_gets_what_waited(
    writer: Writer, user: Any, outage: list[bool]
) -> None:
    await outlast_an_outage(writer, user, outage)

    await writer._flush()

    assert (await Generation.objects.aget()).status == "completed"
    assert writer.journal.read() == []


async def test_a_journal_that_cannot_be_deleted_stops_no_request(
    writer: Writer, user: Any, outage: list[bool]
) -> None:
    await outlast_an_outage(writer, user, outage)
    # As on a disk that became read-only: there is something, and it cannot be removed.
    writer.journal.path.unlink()
    writer.journal.path.mkdir()

    await writer.open(make_intent(user, 2), make_attempt(2))
    await writer._flush()

    statuses = [row.status async for row in Generation.objects.order_by("id")]
    assert statuses == ["completed", "open"]


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """While it holds True, commits arrive and their answers do not."""
    away = [False]
    run = Database.run

    async def unheard(self: Database, *queries: Query) -> Any:
        result = await run(self, *queries)
        if away[0] and BEGIN not in queries:
            raise OperationalError("server closed the connection unexpectedly")
        return result

    monkeypatch.setattr(Database, "run", unheard)
    return away


async def test_an_intent_whose_commit_was_not_heard_of_is_undone(
    writer: Writer, user: Any, deaf: list[bool]
) -> None:
    budgets = (("key:1", "total", Decimal(1)),)
    deaf[0] = True
    with pytest.raises(DatabaseAway):
        await writer.open(make_intent(user, budgets=budgets), make_attempt())
    reserved = (await spend())["key:1"][1]
    deaf[0] = False

    await writer._flush()

    assert reserved == Decimal("0.5")
    assert (await Generation.objects.aget()).status == "interrupted"
    assert (await spend())["key:1"] == (Decimal(0), Decimal(0))


async def test_a_settlement_whose_commit_was_not_heard_of_counts_once(
    writer: Writer, user: Any, deaf: list[bool]
) -> None:
    await writer.open(make_intent(user), make_attempt())
    deaf[0] = True
    await writer.settle(make_settlement(), [])
    deaf[0] = False

    await writer._flush()

    assert (await spend())["key:1"] == (Decimal(COST), Decimal(0))
    assert writer.journal.read() == []


@pytest.mark.parametrize(
    ("moment", "periods"),
    [
        ("2026-11-30T23:59:59.999+00:00", ("2026-11-30", "2026-W49", "2026-11")),
        ("2026-12-01T00:00:00+00:00", ("2026-12-01", "2026-W49", "2026-12")),
        ("2027-01-01T00:00:00+00:00", ("2027-01-01", "2026-W53", "2027-01")),
        ("2026-11-22T23:59:59.999+00:00", ("2026-11-22", "2026-W47", "2026-11")),
        ("2026-11-23T00:00:00+00:00", ("2026-11-23", "2026-W48", "2026-11")),
        ("2028-02-29T12:00:00+00:00", ("2028-02-29", "2028-W09", "2028-02")),
        ("2026-11-23T03:00:00+09:00", ("2026-11-22", "2026-W47", "2026-11")),
    ],
)
async def test_a_cost_belongs_to_the_utc_periods_in_which_it_began(
    writer: Writer, user: Any, moment: str, periods: tuple[str, ...]
) -> None:
    await writer.open(make_intent(user), make_attempt())
    await Generation.objects.aupdate(created_at=datetime.fromisoformat(moment))

    await writer.settle(make_settlement(), [])

    of_key = Spend.objects.filter(owner="key:1", spent=Decimal(COST))
    assert {row.period async for row in of_key} == {*periods, "total"}
