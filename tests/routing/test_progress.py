from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.failures import AttemptFailed
from routing.progress import Progress
from tests.conftest import chunk, completion_json, usage_chunk
from tests.routing.values import make_offer


def after(*events: dict[str, Any]) -> Progress:
    progress = Progress(make_offer())
    for event in events:
        progress.see(event)
    return progress


def test_what_was_said_is_counted_in_bytes() -> None:
    call = {"index": 0, "function": {"name": "f", "arguments": '{"a":1}'}}
    deltas = [{"content": "né"}, {"reasoning": "hm"}, {"tool_calls": [call]}, {"refusal": "no"}]

    progress = after(*({"choices": [{"index": 0, "delta": delta}]} for delta in deltas))

    assert progress.spoken == 3 + 2 + 8 + 2


def test_the_last_report_of_usage_counts() -> None:
    progress = after(usage_chunk(1, 1), chunk("Hi"), usage_chunk(10, 5), usage_chunk(20, 9))

    assert progress.usage(0).completion_tokens == 9


def test_what_was_said_after_the_last_report_of_an_answer_cut_short_is_counted() -> None:
    progress = after(chunk("Hi", usage={"prompt_tokens": 20, "completion_tokens": 1}))
    before = progress.usage(0)
    progress.see(chunk("Hello there"))

    counts, source, _ = progress.counts(0, charged=True)

    assert (before.completion_tokens, before.source) == (1, "upstream")
    assert (counts["prompt_tokens"], counts["completion_tokens"], source) == (20, 4, "estimated")


@pytest.mark.parametrize(
    ("last", "tokens", "source"),
    [(chunk("", "stop"), 100, "estimated"), (usage_chunk(20, 90), 90, "upstream")],
)
def test_a_finish_alone_makes_no_early_report_the_last_word(
    last: dict[str, Any], tokens: int, source: str
) -> None:
    progress = after(usage_chunk(20, 0), chunk("word" * 100), chunk("", "stop"), last)

    found = progress.usage(0)

    assert (found.completion_tokens, found.source) == (tokens, source)


def test_what_was_said_since_is_added_to_what_was_reported() -> None:
    progress = after(chunk("word" * 100), usage_chunk(20, 40), chunk("more"))

    assert progress.usage(0).completion_tokens == 41


def test_no_count_of_our_own_exceeds_the_tokens_that_were_allowed() -> None:
    progress = Progress(make_offer(), 10)
    progress.see(chunk("word" * 100))

    assert progress.usage(7).completion_tokens == 10


def test_a_report_of_more_than_was_said_stays_as_it_is() -> None:
    progress = after(usage_chunk(20, 90), chunk("Hello there"))

    counts, source, _ = progress.counts(0, charged=True)

    assert (counts["completion_tokens"], source) == (90, "upstream")


def test_the_first_finish_counts_and_nothing_after_it() -> None:
    progress = after(chunk("Hi"), chunk("", "length"), chunk("more"), chunk("", "stop"))

    assert (progress.finish_reason, progress.spoken) == ("length", 2)


def test_without_a_report_the_count_is_our_own() -> None:
    progress = after(chunk("Hello there"))

    counts, source, anomaly = progress.counts(7, charged=True)

    assert (counts["prompt_tokens"], counts["completion_tokens"]) == (7, 3)
    assert (source, anomaly) == ("estimated", False)


def test_a_report_that_cannot_be_used_is_an_anomaly() -> None:
    progress = after(chunk("Hello there"), usage_chunk(-1, 5))

    assert progress.counts(7, charged=True)[1:] == ("estimated", True)


def test_nothing_said_and_nothing_reported_counts_nothing() -> None:
    assert Progress(make_offer()).counts(7, charged=False) == ({}, "none", False)


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        ([], "empty answer"),
        ([chunk("")], "empty answer"),
        ([usage_chunk()], "empty answer"),
        ([chunk("Hi")], "broke off"),
        ([chunk("Hi"), chunk("", "error")], "ended in an error"),
    ],
)
def test_an_answer_that_is_none_is_a_failure(events: list[Any], problem: str) -> None:
    with pytest.raises(AttemptFailed, match=problem):
        after(*events).check(left=False)


def test_an_answer_needs_words_and_an_end() -> None:
    progress = after(chunk("Hi"))
    progress.ended = True

    progress.check(left=False)
    after(chunk("Hi"), chunk("", "stop")).check(left=False)


def test_a_client_that_left_makes_no_failure() -> None:
    after(chunk("Hi")).check(left=True)


@pytest.mark.parametrize("choices", [[5], [{}], [{"message": 5}], [{"message": None}], [None]])
def test_a_completion_without_a_message_is_malformed(choices: list[Any]) -> None:
    with pytest.raises(AttemptFailed, match="without a message"):
        Progress(make_offer()).see_whole(completion_json(choices=choices))


@pytest.mark.parametrize(
    ("upstream_id", "kept"), [("up-1", "up-1"), (None, ""), (5, ""), ("a\x00b", "ab")]
)
def test_an_id_of_the_provider_is_kept_as_text(upstream_id: Any, kept: str) -> None:
    assert after(chunk("Hi", id=upstream_id)).upstream_id == kept


leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
names = ["choices", "delta", "index", "finish_reason", "usage", "id", "content", "tool_calls"]
names += ["function", "arguments", "native_finish_reason", "prompt_tokens", "completion_tokens"]
junk = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(names), inner, max_size=4)
    ),
)


@settings(deadline=None, derandomize=True)
@given(st.lists(junk, max_size=3), junk)
def test_no_event_however_odd_is_more_than_ignored(choices: list[Any], delta: Any) -> None:
    odd = {"index": 0, "delta": {"content": delta, "tool_calls": delta}, "finish_reason": delta}

    progress = after({"choices": [*choices, odd], "usage": delta, "id": delta}, {"choices": delta})

    assert progress.spoken >= 0
    assert progress.usage(1).completion_tokens >= 0
