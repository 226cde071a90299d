"""Which rows may be written together, and the one statement that writes them."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from activity import ledger

# What a settlement brings along: a part of a statement (see ledger) and its row. No two rows of
# one key are written by one statement.
Statement = tuple[str, dict[str, Any]]
Part = tuple[str, Any]
Rejections = Counter[tuple[int, int, int, str]]


@dataclass(slots=True, eq=False)
class Entry:
    """One row on its way to the database, and who waits for it."""

    kind: str
    row: dict[str, Any]
    attempts: list[dict[str, Any]] = field(default_factory=list)
    along: tuple[Statement, ...] = ()
    done: "asyncio.Future[Any] | None" = None
    is_taken: bool = False

    def withdraw(self) -> None:
        """Make nothing of an entry that nobody waits for and that is still queued."""
        self.kind, self.row, self.attempts, self.along = "marker", {}, [], ()


def groups(batch: list[Entry]) -> list[list[Entry]]:
    """What may be committed together, in order.

    Reservations go apart: settlements lock Spend rows in order too, and both together would not.
    So do undone intents and another row of one key: the parts of a statement must not change the
    same row. Turns of one session that ran side by side mostly bring the very same row.
    """
    limited, undone = [], []
    others: list[list[Entry]] = [[]]
    along: dict[str, Statement] = {}
    for entry in batch:
        if entry.row.get("budgets"):
            limited.append(entry)
        elif entry.kind == "undo":
            undone.append(entry)
        else:
            own = {statement[1]["key"]: statement for statement in entry.along}
            if any(along.get(key, statement) != statement for key, statement in own.items()):
                others.append([])
                along = {}
            others[-1].append(entry)
            along |= own
    return [group for group in (*others, undone, limited) if group]


def parts(entries: list[Entry]) -> list[Part]:
    """The parts of the statement that writes a group, each with its rows, always in one order.

    PostgreSQL runs them from the last to the first, so refusals are counted after Spend rows are
    locked, as in a reservation; the other way round two writers could wait for each other.
    """
    ended = [row for entry in entries if entry.kind == "settlement" for row in entry.attempts]
    rows = {
        ledger.COUNT_REJECTIONS: [c for e in entries if e.kind == "refusals" for c in _counts(e)],
        ledger.INSERT_GENERATIONS: [_plain(e.row) for e in entries if e.kind == "intent"],
        ledger.INSERT_ATTEMPTS: [r for e in entries if e.kind == "intent" for r in e.attempts],
        ledger.INSERT_FALLBACKS: [r for e in entries if e.kind == "attempt" for r in e.attempts],
        ledger.CHECKPOINT: _latest(entries, ended),
        ledger.SETTLE: [entry.row for entry in entries if entry.kind == "settlement"],
        ledger.END_ATTEMPTS: ended,
    }
    along: dict[str, dict[str, dict[str, Any]]] = {}
    for part, row in (statement for entry in entries for statement in entry.along):
        along.setdefault(part, {})[row["key"]] = row
    given = [*rows.items(), *((part, [*along[part].values()]) for part in sorted(along))]
    found: list[Part] = [(part, ledger.as_json(its)) for part, its in given if its]
    if undone := [entry.row["id"] for entry in entries if entry.kind == "undo"]:
        found += [(ledger.INTERRUPT, undone), (ledger.ABANDON_ATTEMPTS, undone)]
    return found


def _latest(entries: list[Entry], ended: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last checkpoint of each attempt that is not ended along with it."""
    reached = [row for entry in entries if entry.kind == "checkpoint" for row in entry.attempts]
    latest = {(row["generation_id"], row["number"]): row for row in reached}
    for row in ended:
        latest.pop((row["generation_id"], row["number"]), None)
    return list(latest.values())


def _plain(intent: dict[str, Any]) -> dict[str, Any]:
    """An intent without what only the reservation needs."""
    defaults = {"reserved": "0", "reserved_in": []}
    return defaults | {
        name: value
        for name, value in intent.items()
        if name not in ("budgets", "estimate", "ample", "minimum")
    }


def _counts(refusals: Entry) -> list[dict[str, Any]]:
    counted: Rejections = refusals.row["counts"]
    names = ("key_id", "user_id", "code", "error_type")
    return [dict(zip(names, key, strict=True)) | {"count": n} for key, n in counted.items()]
