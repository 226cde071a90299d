"""The proof after every fault: what clients saw, what we logged and what was served agree.

`check` raises one AssertionError with every disagreement, named L1 to L8 as in docs/reliability.md.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import dict_row

Row = dict[str, Any]

# An estimate, or the last checkpoint of a crash, may miss two seconds of the fastest script.
DRIFT_TOKENS = 100
ZERO = Decimal(0)

TABLES = {
    "generations": "SELECT * FROM activity_generation",
    "attempts": "SELECT * FROM activity_attempt ORDER BY generation_id, number",
    "spend": "SELECT owner, period, spent, reserved FROM activity_spend",
    "limits": 'SELECT id, "limit" FROM routing_apikey WHERE "limit" IS NOT NULL '
    "AND limit_reset = ''",
    "pins": "SELECT key, user_id FROM routing_pin",
}


@dataclass(frozen=True)
class Books:
    """The activity log and the money of one database, as they are at one moment."""

    generations: list[Row]
    attempts: list[Row]
    spend: list[Row]
    limits: list[Row]
    pins: list[Row]


@dataclass
class Report:
    """What the check found: the disagreements, and the figures worth telling."""

    faults: list[str] = field(default_factory=list)
    rows: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    flagged: int = 0
    drift_tokens: int = 0
    settled_after_seconds: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.rows} rows {dict(self.statuses)}, none open after "
            f"{self.settled_after_seconds:.1f} s, token drift {self.drift_tokens} on "
            f"{self.flagged} flagged rows"
        )


def read(database_url: str) -> Books:
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        tables = {name: connection.execute(query).fetchall() for name, query in TABLES.items()}
    return Books(**tables)


def check(
    database_url: str,
    served: Sequence[Row],
    seen: Collection[str],
    *,
    unseen: int | None = 0,
    open_seconds: float = 15.0,
) -> Report:
    """Compare; `seen` are the generation ids that clients got, `unseen` counts the requests
    without one, which may have a row all the same (None: nobody counted)."""
    started = time.monotonic()
    books = _settled(database_url, started + open_seconds)
    report = Report(settled_after_seconds=time.monotonic() - started)
    report.rows = len(books.generations)
    report.statuses = Counter(row["status"] for row in books.generations)
    report.faults += _open_rows(books)
    report.faults += _clients(books, seen, unseen)
    report.faults += _tokens(books, served, report)
    report.faults += _money(books)
    report.faults += _costs(books)
    report.faults += _calls(books, served)
    report.faults += _pins(books)
    assert not report.faults, "\n".join(report.faults)
    return report


def _settled(database_url: str, deadline: float) -> Books:
    """The books once no row is open, or as they are when the time is up."""
    while True:
        books = read(database_url)
        if time.monotonic() > deadline or all(r["status"] != "open" for r in books.generations):
            return books
        time.sleep(0.25)


def _open_rows(books: Books) -> list[str]:
    rows = [f"L1 {r['id']} is open" for r in books.generations if r["status"] == "open"]
    final = {r["id"] for r in books.generations if r["status"] != "open"}
    calls = [a for a in books.attempts if a["generation_id"] in final and a["status"] == "open"]
    return rows + [f"L1 attempt {attempt_id(call)} is open" for call in calls]


def _clients(books: Books, seen: Collection[str], unseen: int | None) -> list[str]:
    logged = {row["id"] for row in books.generations}
    twice = [one for one, times in Counter(seen).items() if times > 1]
    found = [f"L2 two clients saw {one}" for one in twice]
    found += [f"L2 {one} has no row" for one in set(seen) - logged]
    strangers = logged - set(seen)
    if unseen is not None and len(strangers) > unseen:
        found.append(
            f"L2 {len(strangers)} rows of no client, of which {unseen} saw no id: {strangers}"
        )
    return found


def _tokens(books: Books, served: Sequence[Row], report: Report) -> list[str]:
    """L3 and L4, of each generation's last attempt."""
    by_attempt = {row["attempt_id"]: row for row in served}
    last = {call["generation_id"]: call for call in books.attempts}
    found = []
    for row in books.generations:
        call = last[row["id"]]
        truth = by_attempt.get(attempt_id(call))
        if truth is None:
            continue
        if row["usage_source"] == "upstream":
            found += _exact(row, call, truth)
        else:
            drift = abs(truth["completion_tokens_written"] - row["completion_tokens"])
            report.flagged += 1
            report.drift_tokens += drift
            if drift > DRIFT_TOKENS:
                found.append(f"L4 {row['id']} ({row['status']}) misses {drift} tokens")
    return found


def _exact(row: Row, call: Row, truth: Row) -> list[str]:
    usage = truth["usage_reported"]
    if not isinstance(usage, dict):
        return [f"L3 {row['id']} has usage that nobody reported"]
    wanted = (usage["prompt_tokens"], usage["completion_tokens"])
    found = []
    # Of a call that failed only its cost is kept, as unknown.
    for what in (row,) if call["status"] == "failed" else (row, call):
        logged = (what["prompt_tokens"], what["completion_tokens"])
        if logged != wanted:
            found.append(f"L3 {row['id']} has {logged}, reported were {wanted}")
    whole = truth["closed_by"] == "upstream" and not row["usage_anomaly"]
    if whole and truth["completion_tokens_written"] != row["completion_tokens"]:
        found.append(f"L3 {row['id']}: {truth['completion_tokens_written']} tokens were written")
    return found


def _periods(moment: datetime) -> tuple[str, ...]:
    day = moment.astimezone(UTC)
    return (f"{day:%Y-%m-%d}", f"{day:%G-W%V}", f"{day:%Y-%m}", "total")


def _money(books: Books) -> list[str]:
    """L5 and the roll-ups of L6: what was spent is the sum of the rows, in every period."""
    spent: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    reserved: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in books.generations:
        for period in _periods(row["created_at"]):
            spent[f"key:{row['key_id']}", period] += row["cost"]
        spent[f"user:{row['user_id']}", "total"] += row["cost"]
        if row["status"] == "open":
            for place in row["reserved_in"]:
                reserved[place["owner"], place["period"]] += row["reserved"]
    found = []
    booked = {(row["owner"], row["period"]): row for row in books.spend}
    for place in booked.keys() | spent.keys() | reserved.keys():
        row = booked.get(place, {"spent": ZERO, "reserved": ZERO})
        if row["spent"] != spent[place]:
            found.append(f"L5 {place}: spent {row['spent']}, the rows say {spent[place]}")
        if row["reserved"] != reserved[place]:
            found.append(f"L5 {place}: reserved {row['reserved']}, open are {reserved[place]}")
    for key in books.limits:
        if spent[f"key:{key['id']}", "total"] > key["limit"]:
            found.append(f"L5 key {key['id']} spent more than {key['limit']}")
    return found


def _costs(books: Books) -> list[str]:
    found = []
    for row in books.generations:
        is_free = row["status"] in ("open", "failed", "interrupted")
        wanted = ZERO if is_free else _recomputed(row)
        if row["cost"] != wanted:
            found.append(f"L6 {row['id']} ({row['status']}) costs {row['cost']}, not {wanted}")
    return found


def _recomputed(row: Row) -> Decimal:
    """The cost by the rates stored with the row, in other words than the product's."""
    rates = {name: Decimal(value) for name, value in row["prices"].items()}
    cached, written = row["cached_tokens"], row["cache_write_tokens"]
    charged = row["prompt_tokens"] or row["completion_tokens"]
    return (
        (row["prompt_tokens"] - cached - written) * rates["prompt"]
        + cached * rates.get("cache_read", rates["prompt"])
        + written * rates.get("cache_write", rates["prompt"])
        + row["completion_tokens"] * rates["completion"]
        + (rates.get("request", ZERO) if charged else ZERO)
    )


def _calls(books: Books, served: Iterable[Row]) -> list[str]:
    recorded = {attempt_id(call) for call in books.attempts}
    return [
        f"L7 {row['attempt_id']} was served and is in no log"
        for row in served
        if row["attempt_id"] not in recorded
    ]


def _pins(books: Books) -> list[str]:
    owners = {pin["key"]: pin["user_id"] for pin in books.pins}
    return [
        f"L8 the pin of {row['id']} belongs to user {owners[row['session']]}"
        for row in books.generations
        if row["session"] in owners and owners[row["session"]] != row["user_id"]
    ]


def attempt_id(call: Row) -> str:
    return f"{call['generation_id']}:{call['number']}"
