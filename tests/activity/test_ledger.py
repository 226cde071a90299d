from decimal import Decimal
from typing import Any

import orjson
import pytest

from activity import ledger
from activity.ledger import Books, BudgetExceeded

KEY, USER = ("key:1", "daily"), ("user:1", "total")


def make_books(spent: str = "0", reserved: str = "0", *, owner: Any = KEY) -> Books:
    return Books([(*owner, "2026-11-21", Decimal(spent), Decimal(reserved))])


def intent(
    estimate: str, limit: str, minimum: str | None = None, ample: str | None = None
) -> dict[str, Any]:
    return {
        "estimate": Decimal(estimate),
        "ample": Decimal(ample or estimate),
        "minimum": Decimal(minimum or estimate),
        "budgets": [(*KEY, Decimal(limit))],
    }


@pytest.mark.parametrize(
    ("spent", "reserved", "wanted", "granted"),
    [
        ("0", "0", intent("4", "10"), "4"),
        ("6", "0", intent("4", "10"), "4"),
        ("3", "3", intent("4", "10"), "4"),
        ("6", "0", intent("9", "10", "1"), "4"),
        ("6", "3", intent("9", "10", "1"), "1"),
        # Ample is enough, but where a quarter of what is left is more.
        ("0", "0", intent("9", "10", "1", "2"), "2.5"),
        ("4", "0", intent("9", "10", "1", "2"), "2"),
        ("4", "5", intent("9", "10", "1", "2"), "1"),
        ("0", "0", intent("2", "100", "1", "1"), "2"),
        ("0", "0", intent("9", "1e-11", "1e-12", "1e-12"), "2e-12"),
    ],
)
def test_what_fits_is_reserved(
    spent: str, reserved: str, wanted: dict[str, Any], granted: str
) -> None:
    assert make_books(spent, reserved).reserve(wanted) == Decimal(granted)
    assert Decimal(wanted["reserved"]) == Decimal(granted)
    assert wanted["reserved_in"] == [{"owner": "key:1", "period": "2026-11-21"}]


@pytest.mark.parametrize(
    ("spent", "reserved", "limit", "in_flight"),
    [
        ("10", "0", "10", False),
        ("11", "0", "10", False),
        ("7", "0", "10", False),
        ("0", "0", "0", False),
        ("0", "7", "10", True),
        ("3", "4", "10", True),
        ("0", "10", "10", True),
    ],
)
def test_what_does_not_fit_reserves_nothing(
    spent: str, reserved: str, limit: str, in_flight: bool
) -> None:
    books = make_books(spent, reserved)

    with pytest.raises(BudgetExceeded) as refusal:
        books.reserve(intent("4", limit))

    assert refusal.value.in_flight is in_flight
    assert books.added() == []


def test_intents_of_one_batch_share_what_is_left() -> None:
    books = make_books()
    books.reserve(intent("4", "10"))
    books.reserve(intent("4", "10"))

    with pytest.raises(BudgetExceeded):
        books.reserve(intent("4", "10"))

    assert books.added() == [{"owner": "key:1", "period": "2026-11-21", "amount": "8"}]


def test_every_limit_must_have_room() -> None:
    books = Books(
        [
            (*KEY, "2026-11-21", Decimal(0), Decimal(0)),
            (*USER, "total", Decimal(9), Decimal(0)),
        ]
    )
    wanted = intent("4", "10")
    wanted["budgets"].append((*USER, Decimal(10)))

    with pytest.raises(BudgetExceeded) as refusal:
        books.reserve(wanted)

    assert (refusal.value.owner, refusal.value.left) == ("user:1", Decimal(1))
    assert books.added() == []


def test_the_tightest_limit_sets_what_is_granted() -> None:
    books = Books(
        [
            (*KEY, "2026-11-21", Decimal(0), Decimal(0)),
            (*USER, "total", Decimal(9), Decimal(0)),
        ]
    )
    wanted = intent("4", "10", "0.5")
    wanted["budgets"].append((*USER, Decimal(10)))

    granted = books.reserve(wanted)

    assert granted == 1
    assert {entry["amount"] for entry in books.added()} == {"1"}


def test_rows_travel_without_nul() -> None:
    rows = [{"id": "a\x00b", "prices": {"x": ["\x00"]}, "n": 5, "text": "\\u0000"}]

    assert orjson.loads(ledger.as_json(rows)) == [
        {"id": "ab", "prices": {"x": [""]}, "n": 5, "text": "\\u0000"}
    ]
