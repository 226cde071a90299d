from typing import Any

import pytest

from routing.calls import Calls
from tests.conftest import Api, FakeProvider, completion_json, events_of
from tests.routing.stories import offer


def call(name: str | None = "f", arguments: str = "{}", **fields: Any) -> dict[str, Any]:
    function = {"arguments": arguments} | ({} if name is None else {"name": name})
    return {"function": function} | fields


def streamed(*deltas: dict[str, Any]) -> list[tuple[int, str | None, str]]:
    """Index, id and arguments of calls that come in deltas of one each."""
    calls = Calls()
    found = [calls.in_delta({"tool_calls": [one]})["tool_calls"][0] for one in deltas]
    return [(one["index"], one.get("id"), one["function"]["arguments"]) for one in found]


@pytest.mark.parametrize("index", [{}, {"index": None}, {"index": 0}, {"index": 5}, {"index": []}])
def test_calls_of_a_stream_are_told_apart(index: dict[str, Any]) -> None:
    found = streamed(
        call(id="a", arguments="", **index),
        call(None, '{"x":', **index),
        call(None, "1}", id="", **index),
        call(id="b", **index),
    )

    assert found == [(0, "a", ""), (0, None, '{"x":'), (0, None, "1}"), (1, "b", "{}")]


def test_calls_that_take_turns_keep_their_places() -> None:
    found = streamed(
        call(id="a", arguments="", index=0),
        call(id="b", arguments="", index=1),
        call(None, "1", index=0),
        call(None, "2", index=1),
    )

    assert [place for place, _, _ in found] == [0, 1, 0, 1]


@pytest.mark.parametrize("named", [{}, {"id": ""}])
def test_whole_calls_that_all_say_index_0_are_told_apart(named: dict[str, Any]) -> None:
    found = streamed(call(arguments='{"x":1}', index=0, **named), call(index=0, **named))

    assert [(place, arguments) for place, _, arguments in found] == [(0, '{"x":1}'), (1, "{}")]


def test_a_name_that_comes_in_parts_or_again_begins_no_other_call() -> None:
    found = streamed(call("get_", "", index=0), call("weather", '{"x":', index=0), call(index=0))

    assert [place for place, _, _ in found] == [0, 0, 0]


@pytest.mark.parametrize("indexes", [({"index": 3}, {}), ({}, {"index": 3})])
def test_a_part_whose_index_is_missing_goes_on_with_the_last_call(
    indexes: tuple[dict[str, int], dict[str, int]],
) -> None:
    first, second = indexes
    found = streamed(call(id="a", arguments="", **first), call(None, "{}", **second))

    assert found == [(0, "a", ""), (0, None, "{}")]


def test_a_call_that_repeats_its_name_and_id_stays_one() -> None:
    found = streamed(call(id="a", arguments="1", index=0), call(id="a", arguments="2", index=0))

    assert found == [(0, "a", "1"), (0, None, "2")]


@pytest.mark.parametrize("named", [{}, {"id": ""}, {"id": None}, {"id": 5}])
def test_a_call_without_an_id_gets_one_that_every_provider_takes(named: dict[str, Any]) -> None:
    whole = Calls().in_message({"tool_calls": [call(**named), call("g", **named)]})["tool_calls"]
    part = Calls().in_delta({"tool_calls": [call(**named)]})["tool_calls"]

    ids = [one["id"] for one in (*whole, *part)]
    assert len(set(ids)) == 3
    assert all(len(one) == 9 and one.isalnum() and one.isascii() for one in ids)
    assert [one["type"] for one in (*whole, *part)] == ["function"] * 3


def test_two_calls_of_one_id_are_told_apart() -> None:
    first, second = Calls().in_message({"tool_calls": [call(id="f"), call(id="f")]})["tool_calls"]

    assert first["id"] == "f" != second["id"]


@pytest.mark.parametrize("calls", [[], [5], [None, "x"]])
def test_an_empty_list_of_calls_is_left_out(calls: list[Any]) -> None:
    part = {"content": "Hi", "tool_calls": calls}

    assert Calls().in_message(part) == Calls().in_delta(part) == {"content": "Hi"}


def test_what_else_a_call_holds_is_passed_on() -> None:
    extra = {"extra_content": {"google": {"thought_signature": "x"}}}

    [found] = Calls().in_delta({"tool_calls": [call(id="a", **extra)]})["tool_calls"]

    assert found["extra_content"] == extra["extra_content"]


@pytest.mark.parametrize("mode", ["stream", "json", "json for a stream"])
async def test_an_answer_with_calls_says_so_and_can_be_answered(
    api: Api, provider: FakeProvider, mode: str
) -> None:
    await offer(api, {"slug": "a/one"})
    said = {"role": "assistant", "content": None, "tool_calls": [call(id=""), call("g", id="")]}
    choice = {"index": 0, "finish_reason": "stop"}
    reply = {"events": [{"choices": [choice | {"delta": said}]}, "[DONE]"]}
    whole = {"json": {"choices": [choice | {"message": said}]}}
    provider.reply(**reply if mode == "stream" else whole)
    provider.reply(json=completion_json())

    response = await api.complete("Hello", stream=mode != "json")

    answer = response.json() if mode == "json" else events_of(response)[0]
    [choice] = answer["choices"]
    calls = (choice["message"] if mode == "json" else choice["delta"])["tool_calls"]
    results = [{"role": "tool", "content": "4", "tool_call_id": one["id"]} for one in calls]
    asked = {"role": "assistant", "content": None, "tool_calls": calls}
    again = await api.post({"model": "a/one", "messages": [asked, *results]})
    assert choice["finish_reason"] == "tool_calls"
    assert (len(calls), again.status_code) == (2, 200)
