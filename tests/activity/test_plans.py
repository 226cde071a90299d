"""How PostgreSQL finds the rows of our statements: by index, while a table is empty as well."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from psycopg import AsyncConnection

from activity import connections, ledger
from routing import sticky

TABLES = ("activity_generation", "activity_attempt", "activity_spend", "routing_pin")
STATEMENTS = {
    "lock spend": ledger.LOCK_SPEND_ROWS,
    "reserve": ledger.RESERVE,
    "fallback": ledger.together(ledger.INSERT_FALLBACKS),
    "checkpoint": ledger.together(ledger.CHECKPOINT),
    "settle": ledger.together(ledger.SETTLE, ledger.END_ATTEMPTS),
    "interrupt": ledger.together(ledger.INTERRUPT, ledger.ABANDON_ATTEMPTS),
    "pin": ledger.together(sticky.SET),
    "refresh": ledger.together(sticky.REFRESH),
    "drop": ledger.together(sticky.DROP),
    "find": sticky.FIND,
}


@pytest.fixture
async def database(async_db: None) -> AsyncIterator[AsyncConnection[Any]]:
    async with await connections.connect("autorouter-tests") as database:
        yield database


async def plan_of(database: AsyncConnection[Any], statement: str) -> str:
    """The plan that is kept for a prepared statement, whatever its parameters."""
    explain = f"EXPLAIN (GENERIC_PLAN, COSTS OFF) {ledger.numbered(statement)}"
    lines = await (await database.execute(explain)).fetchall()
    return "\n".join(line for (line,) in lines)


@pytest.mark.parametrize("name", STATEMENTS)
async def test_no_statement_reads_a_table_whole(database: AsyncConnection[Any], name: str) -> None:
    plan = await plan_of(database, STATEMENTS[name])

    assert not [table for table in TABLES if f"Seq Scan on {table}" in plan], plan


@pytest.mark.parametrize("name", ["settle", "fallback"])
async def test_open_streams_of_others_are_not_looked_at(
    database: AsyncConnection[Any], name: str
) -> None:
    assert "generation_open_by_worker" not in await plan_of(database, STATEMENTS[name])


@pytest.mark.parametrize("name", ["checkpoint", "settle", "refresh", "drop", "reserve"])
async def test_rows_are_found_by_their_keys(database: AsyncConnection[Any], name: str) -> None:
    plan = await plan_of(database, STATEMENTS[name])

    assert "= ANY (" in plan, plan


async def test_each_request_is_written_into_no_index_for_like(
    database: AsyncConnection[Any],
) -> None:
    query = "SELECT tablename, indexdef FROM pg_indexes WHERE tablename = ANY(%s)"
    found = await (await database.execute(query, [list(TABLES)])).fetchall()

    assert {table for table, _ in found} == set(TABLES)
    assert not [text for _, text in found if "pattern_ops" in text]


async def test_decisions_are_stored_uncompressed(database: AsyncConnection[Any]) -> None:
    query = "SELECT attstorage FROM pg_attribute WHERE attrelid = %s::regclass AND attname = %s"
    found = await (await database.execute(query, ["activity_generation", "decision"])).fetchone()

    assert found == ("e",)


async def test_no_statement_is_planned_for_each_of_its_batches(
    database: AsyncConnection[Any],
) -> None:
    await database.execute(f"PREPARE finding AS {sticky.FIND}")
    for _ in range(3):
        await database.execute("EXECUTE finding ('{a key}', 300)")

    counts = "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE name = 'finding'"
    assert await (await database.execute(counts)).fetchone() == (3, 0)
