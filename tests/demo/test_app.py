import asyncio
import json
from typing import Any

import pytest

from routing.demo.app import MAX_BODY_BYTES, app
from tests.demo.conftest import WEATHER, Demo, make_body, make_turns

PNG = "data:image/png;base64," + "A" * 40_000


def text_of(chunks: list[dict[str, Any]], field: str = "content") -> str:
    deltas = (choice["delta"] for chunk in chunks for choice in chunk["choices"])
    return "".join(delta.get(field) or "" for delta in deltas)


async def test_first_sentence_says_that_no_model_ran(demo: Demo) -> None:
    message = await demo.message("What is a monad?")

    first = message["content"].split(". ")[0]
    assert "Auto Router's demo provider" in first
    assert "no real model ran" in first
    assert "openai/gpt-5" in first
    assert "4 words and 16 characters" in message["content"]


async def test_same_request_has_same_answer(demo: Demo) -> None:
    first = await demo.complete("Twice")
    second = await demo.complete("Twice")

    assert first["choices"] == second["choices"]
    assert first["usage"] == second["usage"]
    assert first["id"] == second["id"]


async def test_stream_says_what_json_says(demo: Demo) -> None:
    message = await demo.message("Say it")
    events = await demo.events("Say it")

    chunks = [json.loads(event) for event in events[:-1]]
    assert text_of(chunks) == message["content"]
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert events[-1] == "[DONE]"
    assert not any("usage" in chunk for chunk in chunks)


async def test_stream_reports_usage_in_a_chunk_without_choices(demo: Demo) -> None:
    chunks = await demo.chunks(stream_options={"include_usage": True})

    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == (await demo.complete())["usage"]
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
async def test_answer_ends_at_max_tokens(demo: Demo, field: str) -> None:
    answer = await demo.complete(**{field: 5})

    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 5


async def test_answer_ends_before_a_stop_word(demo: Demo) -> None:
    message = await demo.message(stop=["Router", "never"])

    assert message["content"] == "This answer comes from Auto "


async def test_cached_tokens_begin_with_the_second_turn(demo: Demo) -> None:
    system = {"role": "system", "content": "x" * 1000}
    first = await demo.complete(messages=[system, *make_turns("Hi")])
    second = await demo.complete(messages=[system, *make_turns("Hi", "y" * 400, "And?")])

    assert first["usage"]["prompt_tokens_details"] == {"cached_tokens": 0}
    assert second["usage"]["prompt_tokens_details"] == {"cached_tokens": 320}
    assert second["usage"]["prompt_tokens"] > 320


async def test_usage_adds_up(demo: Demo) -> None:
    usage = (await demo.complete())["usage"]

    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


async def test_an_image_costs_a_fixed_number_of_tokens(demo: Demo) -> None:
    parts = [{"type": "text", "text": "See"}, {"type": "image_url", "image_url": {"url": PNG}}]
    answer = await demo.complete(messages=[{"role": "user", "content": parts}])

    assert answer["usage"]["prompt_tokens"] == 4 + 1 + 512


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"reasoning_effort": "low"}, "reasoning_content"),
        ({"reasoning": {"effort": "high"}}, "reasoning"),
    ],
)
async def test_reasoning_is_shown_and_counted(demo: Demo, fields: dict, name: str) -> None:
    answer = await demo.complete(**fields)
    chunks = await demo.chunks(**fields)

    message, usage = answer["choices"][0]["message"], answer["usage"]
    assert message[name] == text_of(chunks, name) != ""
    assert 0 < usage["completion_tokens_details"]["reasoning_tokens"] < usage["completion_tokens"]


@pytest.mark.parametrize(
    "fields", [{"reasoning_effort": "none"}, {"reasoning": {"effort": "none"}}]
)
async def test_reasoning_can_be_off(demo: Demo, fields: dict) -> None:
    answer = await demo.complete(**fields)

    assert answer["choices"][0]["message"].keys() == {"role", "content"}
    assert answer["usage"]["completion_tokens_details"] == {"reasoning_tokens": 0}


async def test_json_object_is_json(demo: Demo) -> None:
    message = await demo.message('He said "hi" \\ \n', response_format={"type": "json_object"})

    assert "no real model ran" in json.loads(message["content"])["answer"]


async def test_json_schema_is_satisfied(demo: Demo) -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "number"}, "tags": {"type": "array"}, "skip": {}},
        "required": ["n", "tags"],
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}

    message = await demo.message(response_format=wanted)

    assert json.loads(message["content"]) == {"n": 1, "tags": []}


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("How is the weather?", "auto"),
        ("Call GET_WEATHER", None),
        ("Hello", "required"),
        ("Hello", {"type": "function", "function": {"name": "get_weather"}}),
    ],
)
async def test_tool_is_called(demo: Demo, text: str, choice: Any) -> None:
    answer = await demo.complete(text, tools=[WEATHER], tool_choice=choice)

    choice = answer["choices"][0]
    function = choice["message"]["tool_calls"][0]["function"]
    assert choice["finish_reason"] == "tool_calls"
    assert function["name"] == "get_weather"
    assert json.loads(function["arguments"]) == {"city": "demo", "days": 3}


@pytest.mark.parametrize(("text", "choice"), [("Hello", "auto"), ("get_weather", "none")])
async def test_tool_is_left_alone(demo: Demo, text: str, choice: str) -> None:
    message = await demo.message(text, tools=[WEATHER], tool_choice=choice)

    assert "tool_calls" not in message


async def test_result_of_a_tool_is_answered_by_text(demo: Demo) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "sunny"},
    ]

    message = await demo.message(messages=messages, tools=[WEATHER], tool_choice="required")

    assert "tool_calls" not in message


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 529])
async def test_error_on_request(demo: Demo, status: int) -> None:
    response = await demo.post(f"demo:error={status}", stream=True)

    assert response.status_code == status
    assert response.json()["error"].keys() == {"message", "type", "param", "code"}
    assert response.headers.get("retry-after") == {429: "1", 503: "1"}.get(status)


async def test_error_in_mid_stream(demo: Demo) -> None:
    events = await demo.events("demo:error=mid-stream")

    assert text_of([json.loads(event) for event in events[:-1]]) == "This answer"
    assert json.loads(events[-1])["error"]["type"] == "server_error"


async def test_empty_answer_has_no_finish_reason(demo: Demo) -> None:
    answer = await demo.complete("demo:empty")
    chunks = await demo.chunks("demo:empty")

    assert answer["choices"][0]["message"]["content"] == text_of(chunks) == ""
    assert answer["choices"][0]["finish_reason"] is None
    assert chunks[-1]["choices"][0]["finish_reason"] is None
    assert answer["usage"]["completion_tokens"] == 0


async def test_stream_has_the_tokens_asked_for(demo: Demo) -> None:
    chunks = await demo.chunks("demo:stream=7", stream_options={"include_usage": True})

    assert len([chunk for chunk in chunks if text_of([chunk])]) == 7
    assert chunks[-1]["usage"]["completion_tokens"] == 7


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": ["x"]}, "messages[0]"),
        ({"model": ""}, "model"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"messages": [{"role": "user", "content": "demo:error=418"}]}, "demo:error"),
    ],
)
async def test_invalid_field_is_named(demo: Demo, fields: dict, param: str) -> None:
    response = await demo.post(**fields)

    assert response.status_code == 400
    assert response.json()["error"]["param"] == param


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b'{"model":"\\ud800"}'])
async def test_body_that_is_no_object_is_refused(demo: Demo, body: bytes) -> None:
    response = await demo.http.post("/v1/chat/completions", content=body)

    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


async def test_body_over_the_cap_is_refused(demo: Demo) -> None:
    response = await demo.http.post("/v1/chat/completions", content=b" " * (MAX_BODY_BYTES + 1))

    assert response.status_code == 413


@pytest.mark.parametrize("credential", ["", "Bearer ", "Basic abc"])
async def test_credential_is_required(demo: Demo, credential: str) -> None:
    response = await demo.http.get("/v1/models", headers={"Authorization": credential})

    assert response.status_code == 401
    assert response.json()["error"]["code"] == "invalid_api_key"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/livez", 200),
        ("GET", "/v1/models", 200),
        ("GET", "/v1/chat/completions", 405),
        ("GET", "/v2", 404),
    ],
)
async def test_routes(demo: Demo, method: str, path: str, status: int) -> None:
    response = await demo.http.request(method, path)

    assert response.status_code == status


@pytest.mark.parametrize(("text", "sent"), [("demo:slow", 0), ("demo:stream=9000", 2)])
async def test_client_that_leaves_stops_the_answer(text: str, sent: int) -> None:
    body = json.dumps(make_body(text, stream=True)).encode()
    arriving = iter([{"type": "http.request", "body": body}, {"type": "http.disconnect"}])
    events = []

    async def receive() -> dict[str, Any]:
        # The last event is only due once the answer has begun.
        await asyncio.sleep(0)
        return next(arriving)

    async def send(event: Any) -> None:
        events.append(event)

    headers = [(b"authorization", b"Bearer x")]
    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": headers}
    async with asyncio.timeout(1):
        await app(scope, receive, send)

    assert len(events) == sent
