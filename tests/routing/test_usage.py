from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing import usage
from routing.usage import Usage


def read(cached_in_prompt: bool = True, **reported: Any) -> Usage | None:
    report = {"prompt_tokens": 100, "completion_tokens": 50} | reported
    return usage.from_upstream(report, cached_in_prompt=cached_in_prompt, most_searches=10)


def read_details(**details: Any) -> Usage:
    found = read(prompt_tokens_details=details)
    assert found is not None
    return found


def test_counts_are_taken_as_reported() -> None:
    found = read(
        prompt_tokens_details={"cached_tokens": 40, "cache_write_tokens": 10, "audio_tokens": 5},
        completion_tokens_details={"reasoning_tokens": 30},
        server_tool_use={"web_search_requests": 2},
    )

    assert found == Usage(100, 40, 10, 5, 50, 30, 2, "upstream", anomaly=False)


def test_cached_tokens_outside_the_prompt_are_added_to_it() -> None:
    details = {"cached_tokens": 40, "cache_write_tokens": 10}

    found = read(cached_in_prompt=False, prompt_tokens_details=details)

    assert found is not None
    assert (found.prompt_tokens, found.cached_tokens, found.anomaly) == (150, 40, False)


@pytest.mark.parametrize("name", ["server_tool_use", "server_tool_use_details"])
def test_web_searches_are_found_under_both_names(name: str) -> None:
    found = read(**{name: {"web_search_requests": 2}})

    assert found is not None
    assert found.web_searches == 2


@pytest.mark.parametrize("report", [None, 5, "x", [], {}, {"prompt_tokens": 1}])
def test_a_report_without_both_counts_is_none(report: Any) -> None:
    assert usage.from_upstream(report, cached_in_prompt=True) is None


@pytest.mark.parametrize("name", ["prompt_tokens", "completion_tokens"])
@pytest.mark.parametrize("value", [None, -1, "10", 1.5, True, 10**9 + 1, 10**18, [], {}])
def test_a_count_that_cannot_be_charged_makes_the_report_unusable(name: str, value: Any) -> None:
    assert read(**{name: value}) is None


@pytest.mark.parametrize("details", [None, 5, "x", []])
def test_details_that_are_none_count_nothing(details: Any) -> None:
    found = read(prompt_tokens_details=details, completion_tokens_details=details)

    assert found == Usage(prompt_tokens=100, completion_tokens=50, source="upstream")


@pytest.mark.parametrize(
    ("details", "cached", "written"),
    [
        ({"cached_tokens": 101}, 100, 0),
        ({"cached_tokens": 80, "cache_write_tokens": 30}, 80, 20),
        ({"cached_tokens": -5}, 0, 0),
        ({"cached_tokens": "40"}, 0, 0),
        ({"cache_write_tokens": 10**18}, 0, 0),
        ({"audio_tokens": 1.5}, 0, 0),
    ],
)
def test_a_detail_that_contradicts_is_clamped_and_flagged(
    details: dict[str, Any], cached: int, written: int
) -> None:
    found = read_details(**details)

    assert (found.cached_tokens, found.cache_write_tokens, found.anomaly) == (cached, written, True)


def test_more_reasoning_than_answer_is_clamped_and_flagged() -> None:
    found = read(completion_tokens_details={"reasoning_tokens": 51})

    assert found is not None
    assert (found.reasoning_tokens, found.anomaly) == (50, True)


@pytest.mark.parametrize("details", [{"reasoning_tokens": 30}, {}, None])
def test_reasoning_that_only_the_total_counts_belongs_to_the_answer(details: Any) -> None:
    found = read(total_tokens=180, completion_tokens_details=details)

    assert found is not None
    assert (found.completion_tokens, found.reasoning_tokens, found.anomaly) == (80, 30, False)


@pytest.mark.parametrize("total", [150, 120, 0, -1, None, "180", 1.5, True, 10**9 + 1])
def test_a_total_that_hides_nothing_changes_nothing(total: Any) -> None:
    assert read(total_tokens=total) == read()


def test_a_total_of_other_prompt_tokens_than_reported_is_no_reasoning() -> None:
    found = read(total_tokens=1150, prompt_tokens_details={"cached_tokens": 1000})

    assert found is not None
    assert (found.completion_tokens, found.anomaly) == (50, True)


@pytest.mark.parametrize(("answer_bytes", "tokens"), [(0, 0), (1, 1), (4, 1), (5, 2), (400, 100)])
def test_a_count_of_our_own_rounds_up(answer_bytes: int, tokens: int) -> None:
    assert usage.tokens_of(answer_bytes) == tokens


def test_an_estimate_says_what_it_is() -> None:
    found = usage.estimated(7, 3)

    assert (found.prompt_tokens, found.completion_tokens, found.source) == (7, 3, "estimated")


anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.none())
detail_names = st.sampled_from(["cached_tokens", "cache_write_tokens", "audio_tokens"])


@settings(deadline=None, derandomize=True)
@given(
    prompt=st.integers(0, 10**9),
    completion=st.integers(0, 10**9),
    details=st.dictionaries(detail_names, anything),
    reasoning=anything,
    inside=st.booleans(),
)
def test_token_classes_are_disjoint_whatever_is_reported(
    prompt: int, completion: int, details: dict[str, Any], reasoning: Any, inside: bool
) -> None:
    found = read(
        cached_in_prompt=inside,
        prompt_tokens=prompt,
        completion_tokens=completion,
        prompt_tokens_details=details,
        completion_tokens_details={"reasoning_tokens": reasoning},
    )

    assert found is not None
    assert 0 <= found.cached_tokens + found.cache_write_tokens <= found.prompt_tokens
    assert 0 <= found.reasoning_tokens <= found.completion_tokens
