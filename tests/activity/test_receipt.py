from decimal import Decimal

import pytest

from activity import receipt
from activity.dial import WORDS


@pytest.mark.parametrize(
    ("sticky", "words"),
    [
        ({}, ""),
        ({"kind": "none", "state": "none"}, "belongs to no conversation"),
        ({"kind": "fingerprint", "state": "none"}, "by its opening messages; no model was"),
        (
            {"kind": "x-session-id", "state": "off"},
            "by the x-session-id header; its memory was off",
        ),
        ({"kind": "session_id", "state": "followed", "model": "a/one"}, "model a/one was called"),
        ({"kind": "session_id", "state": "ineligible", "model": "a/one"}, "a/one could not serve"),
        ({"kind": "session_id", "state": "dropped", "model": "a/one"}, "a/one was forgotten"),
        ({"kind": "session_id", "state": "cooling", "model": "a/one"}, "a/one was failing of late"),
    ],
)
def test_the_sticky_state_is_said_in_words(sticky, words):
    said = receipt.read({"strategy": "auto", "sticky": sticky}).sticky

    assert words in said
    assert bool(said) == bool(words)


def test_nothing_stored_has_no_receipt():
    assert receipt.read({}) is None


@pytest.mark.parametrize("value", range(11))
def test_every_dial_position_has_words(value):
    told = receipt.read({"tradeoff": {"value": value, "source": "default"}})

    assert (told.dial, told.dial_words, told.dial_source) == (value, WORDS[value], "built in")


def test_models_that_were_out_are_grouped_by_reason():
    out = [
        {"model": "a/one", "reason": "context"},
        {"model": "a/two", "reason": "tools"},
        {"model": "a/three", "reason": "context"},
        {"model": "a/four", "reason": "something_new"},
    ]

    told = receipt.read({"out": out})

    assert [(group.title, len(group.members)) for group in told.out] == [
        ("Context window too small", 2),
        ("Cannot call tools", 1),
        ("Something new", 1),
    ]
    assert told.out_count == 4


def test_a_skipped_endpoint_says_until_when_and_why():
    until = "2026-11-22T10:15:30+00:00"
    skipped = {"model": "a/one", "provider": "X", "until": until, "after": "HTTP 503"}

    told = receipt.read({"strategy": "auto", "skipped": [skipped], "last_resort": True})

    assert told.skipped == ["a/one at X: cooling down until 10:15:30 UTC, after HTTP 503."]
    assert told.last_resort


def test_an_unlikely_task_and_an_unknown_language_are_left_out():
    told = receipt.read({"analysis": {"tasks": {"code": 0.8, "math": 0.01}, "language": "und"}})

    assert told.facts == [("Task", "code 80%")]


def test_cost_lines_add_up_exactly():
    lines = receipt.cost_lines(
        [
            {"class": "prompt", "quantity": 3, "price": "0.0000001", "cost": "0.0000003"},
            {"class": "request", "quantity": 1, "price": "0.01", "cost": "0.01"},
            {"class": "insurance", "quantity": 1, "price": "-0.0100003", "cost": "-0.0100003"},
        ]
    )

    assert [(line.unit_price, line.per_million) for line in lines] == [
        (Decimal("0.1"), True),
        (Decimal("0.01"), False),
        (Decimal("-0.0100003"), False),
    ]
    assert receipt.total(lines) == 0
