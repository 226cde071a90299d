"""Which rows one statement writes; that it writes them is in test_writer.py."""

from collections import Counter
from typing import Any

import orjson
import pytest

from activity import ledger
from activity.batch import Entry, groups, parts

PIN = "pinned AS (SELECT %s::jsonb)"


def settlement(name: str, *keys: str) -> Entry:
    along = tuple((PIN, {"key": key}) for key in keys)
    return Entry("settlement", {"id": name}, [{"generation_id": name, "number": 1}], along)


def reached(name: str, tokens: int) -> Entry:
    row = {"generation_id": name, "number": 1, "completion_tokens": tokens}
    return Entry("checkpoint", {}, [row])


def rows_of(entries: list[Entry], part: str) -> Any:
    found = dict(parts(entries))
    return orjson.loads(found[part]) if part in found else []


def test_another_row_of_one_key_waits_for_the_first() -> None:
    first, other, second = settlement("a", "x"), settlement("b", "y"), settlement("c", "x")
    second.along = ((PIN, {"key": "x", "model": "a/two"}),)

    assert groups([first, other, second]) == [[first, other], [second]]


def test_the_same_row_of_one_key_is_written_once() -> None:
    first, second = settlement("a", "x"), settlement("b", "x")

    assert groups([first, second]) == [[first, second]]
    assert rows_of([first, second], PIN) == [{"key": "x"}]


def test_reservations_and_undone_intents_go_apart() -> None:
    limited = Entry("intent", {"id": "a", "budgets": [("key:1", "total", 1)]})
    undone, plain = Entry("undo", {"id": "b"}), settlement("c")

    assert groups([limited, undone, plain]) == [[plain], [undone], [limited]]


def test_nothing_to_write_is_no_statement() -> None:
    assert parts([Entry("marker", {})]) == []


def test_of_two_checkpoints_the_later_one_counts() -> None:
    assert rows_of([reached("a", 1), reached("a", 2)], ledger.CHECKPOINT) == [
        {"generation_id": "a", "number": 1, "completion_tokens": 2}
    ]


def test_an_attempt_that_ends_has_no_checkpoint_beside_it() -> None:
    entries = [reached("a", 1), settlement("a"), reached("b", 5)]

    kept = [row["generation_id"] for row in rows_of(entries, ledger.CHECKPOINT)]

    assert kept == ["b"]


@pytest.mark.parametrize("order", [1, -1])
def test_the_parts_have_one_order_whatever_came_first(order: int) -> None:
    entries = [settlement("a", "x"), Entry("intent", {"id": "b"}, [{"number": 1}]), reached("c", 1)]
    entries.append(Entry("attempt", {}, [{"number": 2}]))
    entries.append(Entry("refusals", {"counts": Counter({(1, 1, 402, "x"): 1})}))

    found = [part for part, _ in parts(entries[::order])]

    assert found == [
        ledger.COUNT_REJECTIONS,
        ledger.INSERT_GENERATIONS,
        ledger.INSERT_ATTEMPTS,
        ledger.INSERT_FALLBACKS,
        ledger.CHECKPOINT,
        ledger.SETTLE,
        ledger.END_ATTEMPTS,
        PIN,
    ]


def test_parameters_are_numbered_in_their_order() -> None:
    assert ledger.numbered(ledger.together("a AS (%s)", "b AS (%s, %s)")) == (
        "WITH a AS ($1), b AS ($2, $3) SELECT"
    )
