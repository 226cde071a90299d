"""What PostgreSQL itself takes for a commit, and rows of history for the server to live with."""

import os
import statistics
import time
from dataclasses import dataclass
from typing import Any

import psycopg

COMMITS = 400
DAYS = 30
# Each is one the server wrote, so that the rows have the size that rows have.
GENERATIONS = """
INSERT INTO activity_generation ({columns})
SELECT {values}
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n,
    (SELECT * FROM activity_generation WHERE status = 'completed'
     ORDER BY created_at DESC LIMIT 1) AS g
"""
ATTEMPTS = """
INSERT INTO activity_attempt (generation_id, {columns})
SELECT 'gen-history-' || n, {columns}
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n,
    (SELECT * FROM activity_attempt WHERE status = 'succeeded' ORDER BY id DESC LIMIT 1) AS a
"""
# Spread over the days before now, and over the models of the catalogue.
MOMENT = "now() - make_interval(secs => n * {step}::float8)"
SPREAD = {
    "id": "'gen-history-' || n",
    "created_at": MOMENT,
    "settled_at": MOMENT,
    "deadline": MOMENT,
    "routed_model": "(ARRAY(SELECT slug FROM routing_languagemodel ORDER BY slug))[1 + n %% 30]",
    "latency_ms": "300 + n %% 5000",
}


@dataclass(frozen=True)
class CommitTime:
    """Milliseconds for a durable commit of one row over one connection."""

    p50_ms: float
    p99_ms: float


def connect() -> "psycopg.Connection[Any]":
    return psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)


def commit_time(server_core: int) -> CommitTime:
    """Commit single rows from the core of the server, as the server would."""
    here = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {server_core})
    try:
        with connect() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS bench_commit (n integer)")
            times = sorted(_timed_commit(connection, number) for number in range(COMMITS))
    finally:
        os.sched_setaffinity(0, here)
    return CommitTime(statistics.median(times), times[int(0.99 * COMMITS)])


def _timed_commit(connection: "psycopg.Connection[Any]", number: int) -> float:
    began = time.perf_counter()
    connection.execute("INSERT INTO bench_commit VALUES (%s)", [number], prepare=True)
    return 1000 * (time.perf_counter() - began)


def empty_history() -> None:
    """Remove every generation but the newest, of which history is made."""
    with connect() as connection:
        connection.execute(
            "DELETE FROM activity_attempt WHERE generation_id <> (SELECT id FROM "
            "activity_generation WHERE status = 'completed' ORDER BY created_at DESC LIMIT 1)"
        )
        connection.execute(
            "DELETE FROM activity_generation g WHERE NOT EXISTS "
            "(SELECT 1 FROM activity_attempt a WHERE a.generation_id = g.id)"
        )
        connection.execute("VACUUM FULL activity_generation")
        connection.execute("VACUUM FULL activity_attempt")


def grow_history(rows: int) -> None:
    """Bring the history to that many rows, the latest days of DAYS days."""
    with connect() as connection:
        connection.execute("DELETE FROM activity_attempt WHERE generation_id LIKE 'gen-history-%'")
        connection.execute("DELETE FROM activity_generation WHERE id LIKE 'gen-history-%'")
        spread = {name: value.format(step=DAYS * 86400 / rows) for name, value in SPREAD.items()}
        columns = _columns(connection, "activity_generation")
        values = [spread.get(name, f"g.{name}") for name in columns]
        statement = GENERATIONS.format(columns=_list(columns), values=", ".join(values))
        bounds = {"first": 1, "last": rows}
        connection.execute(statement, bounds)
        copied = [
            name
            for name in _columns(connection, "activity_attempt")
            if name not in ("id", "generation_id")
        ]
        connection.execute(ATTEMPTS.format(columns=_list(copied)), bounds)
        connection.execute("VACUUM (ANALYZE) activity_generation, activity_attempt")
        connection.execute("CHECKPOINT")


def _columns(connection: "psycopg.Connection[Any]", table: str) -> list[str]:
    query = (
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s "
        "AND is_generated = 'NEVER' ORDER BY ordinal_position"
    )
    return [name for (name,) in connection.execute(query, [table])]


def _list(columns: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)
