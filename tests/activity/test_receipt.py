from decimal import Decimal

import pytest

from activity import candidates, receipt
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


@pytest.mark.parametrize(
    ("quality", "cost", "reason", "said"),
    [
        (0.834, 0.0022, "dearer", "Predicted slightly better, 10% dearer."),
        (0.85, 0.008, "dearer", "Predicted 2 points better, at 4.0 times the cost."),
        (0.85, 3.0, "dearer", "Predicted 2 points better, at 1,500 times the cost."),
        (0.82, 0.002, "dearer_no_gain", "Predicted 1 point weaker, at the same cost."),
        (0.994, 0.008, "dearer", "Predicted 16.4 points better, at 4.0 times the cost."),
        (0.83, 0.002004, "dearer_no_gain", "Predicted as good, slightly dearer."),
        (0.7, 0.001999, "weaker", "Predicted 13 points weaker, slightly cheaper."),
        (0.7, 0.001, "weaker", "Predicted 13 points weaker, 50% cheaper."),
        (0.7, 0.000001, "weaker", "Predicted 13 points weaker, more than 99% cheaper."),
    ],
)
def test_a_candidate_is_compared_with_the_chosen_one(quality, cost, reason, said):
    chosen = ("a/one", 0.83, 0.002, 0.5, 0.8, 0.9)
    other = ("a/two", quality, cost, 0.4, 0.8, 0.9)
    stored = candidates.store([chosen, other])

    told = receipt.read({"candidates": stored, "chosen": "a/one"})

    assert told.candidates[1].detail == said
    assert told.candidates[1].verdict == receipt.VERDICTS[reason]


@pytest.mark.parametrize(
    ("quality", "shown"),
    [(0, 0), (0.834, 83), (0.985, 98), (0.9904, 99.0), (0.9963, 99.6), (0.99996, 99.9), (1, 99.9)],
)
def test_a_quality_near_all_has_a_decimal_and_is_never_certain(quality, shown):
    line = ("a/one", quality, 0.002, 0.5, 0.8, quality)

    (told,) = receipt.read({"candidates": candidates.store([line])}).candidates

    assert (told.quality, told.high) == (shown, shown)


def test_candidates_before_the_chosen_one_were_cooling_or_passed_over_for_the_pin():
    ranked = [(model, 0.9, 0.1, 0.5, 0.8, 0.9) for model in ("a/cool", "a/better", "a/own")]
    decision = {"candidates": candidates.store(ranked), "chosen": "a/own", "cooling": ["a/cool"]}

    assert [one["reason"] for one in candidates.read(decision)] == ["cooling", "pinned", "chosen"]


@pytest.mark.parametrize(
    ("strategy", "state", "reason"),
    [
        ("auto", "followed", "pinned"),
        ("fallback", "followed", "pinned"),
        ("fallback", "none", "listed"),
    ],
)
def test_candidates_stand_behind_a_model_that_was_none_of_them(strategy, state, reason):
    stored = candidates.store([("a/one", 0.9, 0.1, 0.5, 0.8, 0.9)])
    sticky = {"state": state}

    (one,) = candidates.read(
        {"candidates": stored, "chosen": "a/named", "strategy": strategy, "sticky": sticky}
    )

    assert one["reason"] == reason


def test_older_rows_say_the_reason_themselves():
    stored = '[["a/one",0.9,0.1,0.5,0.8,0.9,"chosen"],["a/two",0.8,0.2,0.4,0.7,0.9,"cooling"]]'

    told = receipt.read({"candidates": stored})

    assert [one.chosen for one in told.candidates] == [True, False]
    assert told.candidates[1].verdict == receipt.VERDICTS["cooling"]


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
    told = receipt.read(
        {"analysis": {"tasks": {"code:write_tests": 0.8, "math": 0.01}, "language": "und"}}
    )

    assert told.facts == [("Task", "code: write tests 80%")]


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
