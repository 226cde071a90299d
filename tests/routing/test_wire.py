from decimal import Decimal
from typing import Any

import orjson
import pytest

from activity.models import Generation
from routing import pricing, wire
from routing.catalog import Offer
from routing.usage import Usage
from tests.conftest import Api, FakeProvider, chunk, completion_json, events_of, usage_chunk
from tests.routing.stories import auto, offer, row_of
from tests.routing.values import make_completion, make_offer, make_rates

TOOL = {"type": "function", "function": {"name": "look_up"}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "it"}}
LOW = {"effort": "low"}


def taking(*parameters: str) -> Offer:
    return make_offer(supported_parameters=frozenset(parameters))


def sent(offer: Offer, max_tokens: int | None = None, **fields: Any) -> dict[str, Any]:
    body = orjson.loads(wire.request_body(make_completion(**fields), offer, max_tokens, ""))
    return {name: value for name, value in body.items() if name not in ("model", "messages")}


@pytest.mark.parametrize(
    ("supported", "fields", "expected"),
    [
        (["temperature"], {"temperature": 1, "top_p": 1}, {"temperature": 1}),
        ([], {"tools": [TOOL], "tool_choice": "auto"}, {}),
        (
            ["tools"],
            {"tools": [TOOL], "tool_choice": "auto", "parallel_tool_calls": False},
            {"tools": [TOOL], "tool_choice": "auto", "parallel_tool_calls": False},
        ),
        ([], {"n": 1, "modalities": ["text"]}, {"n": 1, "modalities": ["text"]}),
        (["structured_outputs"], {"response_format": SCHEMA}, {"response_format": SCHEMA}),
        ([], {"foo": 1, "metadata": {"a": "b"}, "user": "jane", "session_id": "x"}, {}),
    ],
)
def test_an_endpoint_is_sent_what_it_supports(
    supported: list[str], fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert sent(taking(*supported), **fields) == {"stream": False} | expected


@pytest.mark.parametrize(
    ("supported", "fields", "expected"),
    [
        (["reasoning"], {"reasoning": LOW}, {"reasoning": LOW}),
        (["reasoning"], {"reasoning_effort": "low"}, {"reasoning": LOW}),
        (["reasoning_effort"], {"reasoning": LOW}, {"reasoning_effort": "low"}),
        (["reasoning_effort"], {"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
        (["reasoning", "reasoning_effort"], {"reasoning_effort": "low"}, {"reasoning": LOW}),
        (["reasoning"], {"reasoning": {"max_tokens": 9}}, {"reasoning": {"max_tokens": 9}}),
        (["reasoning_effort"], {"reasoning": {"max_tokens": 9}}, {}),
        ([], {"reasoning": LOW, "reasoning_effort": "low"}, {}),
    ],
)
def test_reasoning_goes_out_in_the_spelling_the_endpoint_lists(
    supported: list[str], fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert sent(taking(*supported), **fields) == {"stream": False} | expected


@pytest.mark.parametrize(
    ("supported", "name"),
    [("max_tokens", "max_tokens"), ("max_completion_tokens", "max_completion_tokens")],
)
def test_the_limit_goes_by_the_name_the_endpoint_lists(supported: str, name: str) -> None:
    assert sent(taking(supported), max_tokens=7)[name] == 7


def test_a_stream_asks_for_its_usage() -> None:
    body = sent(make_offer(), stream=True, stream_options={"include_usage": False})

    assert body["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("native", "ours"),
    [
        ("stop", "stop"),
        ("END_TURN", "stop"),
        ("max_tokens", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("sensitive", "content_filter"),
        ("model_context_window_exceeded", "length"),
        ("network_error", "error"),
        ("insufficient_system_resource", "error"),
        ("tool_use", "tool_calls"),
        ("error", "error"),
        ("odd", "stop"),
        (None, None),
        ("", None),
    ],
)
def test_a_finish_reason_is_one_of_the_documented_five(native: Any, ours: str | None) -> None:
    assert wire.finish_reason(native) == ours


def test_a_usage_object_is_what_strict_clients_read() -> None:
    usage = Usage(prompt_tokens=10, cached_tokens=4, completion_tokens=5, reasoning_tokens=2)
    lines = pricing.lines(usage, make_rates(cache_read="0.0000001"))

    found = wire.usage_object(usage, pricing.total(lines), lines)

    assert found["total_tokens"] == 15
    assert found["prompt_tokens_details"]["cached_tokens"] == 4
    assert found["completion_tokens_details"] == {"reasoning_tokens": 2}
    assert found["cost"] == pytest.approx(0.0000164)
    assert found["cost_details"] == {
        "upstream_inference_cost": None,
        "upstream_inference_prompt_cost": pytest.approx(0.0000064),
        "upstream_inference_completions_cost": pytest.approx(0.00001),
    }


async def test_an_answer_has_the_keys_that_strict_clients_need(
    api: Api, provider: FakeProvider
) -> None:
    await offer(api, {"slug": "a/one"})
    choice = {"message": {"content": "Hi"}, "finish_reason": "end_turn"}
    provider.reply(json=completion_json(choices=[choice], id=None, model="a-one-v7"))

    answer = (await api.complete("Hello")).json()

    assert (answer["object"], answer["model"], answer["provider"]) == (
        "chat.completion",
        "a/one",
        "Up",
    )
    assert answer["id"].startswith("gen-")
    assert (type(answer["created"]), answer["system_fingerprint"]) == (int, None)
    assert answer["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hi"},
            "finish_reason": "stop",
            "native_finish_reason": "end_turn",
            "logprobs": None,
        }
    ]


async def test_every_chunk_carries_our_id_and_model(api: Api, provider: FakeProvider) -> None:
    await offer(api, {"slug": "a/one"})
    stop = chunk("", "end_turn")
    provider.reply(events=[chunk("Hi"), stop, usage_chunk(), "[DONE]", chunk("more")])

    response = await api.complete("Hello", stream=True)

    *events, end = events_of(response)
    assert end == "[DONE]"
    heads = {(event["id"], event["object"], event["model"]) for event in events}
    assert heads == {(response.headers["X-Generation-Id"], "chat.completion.chunk", "a/one")}
    assert [event["choices"][0]["finish_reason"] for event in events] == [None, "stop", None]
    assert events[1]["choices"][0]["native_finish_reason"] == "end_turn"


async def test_max_tokens_is_clamped_to_what_the_endpoint_gives(
    api: Api, provider: FakeProvider
) -> None:
    await offer(api, {"slug": "a/one", "model": {"max_output_tokens": 500}})

    response = await api.complete("Hello", max_tokens=1e9)

    assert response.status_code == 200
    assert provider.asked()[0]["max_tokens"] == 500


@pytest.mark.parametrize("asked", [{"model": "a/one"}, {"plugins": auto(allowed_models=["a/*"])}])
async def test_max_tokens_over_a_context_leaves_room_for_the_prompt(
    api: Api, provider: FakeProvider, asked: dict[str, Any]
) -> None:
    whole = {"context_length": 8_000, "max_output_tokens": None}
    await offer(api, {"slug": "a/one", "model": whole}, {"slug": "b/two"})

    response = await api.complete("Hello", max_tokens=300_000, **asked)

    assert response.status_code == 200
    assert 6_000 < provider.asked()[0]["max_tokens"] < 7_500


async def test_the_end_user_reaches_the_provider_as_a_hash(
    api: Api, provider: FakeProvider
) -> None:
    await offer(api, {})

    await api.complete("Hello", user="jane@example.com")
    await api.complete("Hello", user="jane@example.com")

    users = [asked["user"] for asked in provider.asked()]
    assert users[0] == users[1]
    assert len(users[0]) == 64
    assert b"jane" not in provider.requests[0].content
    assert {row.end_user async for row in Generation.objects.all()} == {"jane@example.com"}


async def test_no_header_of_the_client_reaches_the_provider(
    api: Api, provider: FakeProvider
) -> None:
    await offer(api, {})
    headers = {"X-Secret": "s3cret", "Cookie": "a=s3cret", "User-Agent": "s3cret/1"}
    headers |= {"HTTP-Referer": "https://s3cret.example", "X-Forwarded-For": "8.8.8.8"}
    headers |= {"x-session-id": "s3cret", "x-anthropic-beta": "s3cret"}

    body = {"model": "openrouter/auto", "messages": [{"role": "user", "content": "Hello"}]}
    await api.post(body, **headers)

    given = provider.requests[0].headers
    assert "s3cret" not in repr(given.raw)
    assert api.secret not in repr(given.raw)
    assert given["Authorization"] == "Bearer sk-up-credential"
    assert given["Accept-Encoding"] == "identity"
    assert "8.8.8.8" not in repr(given.raw)


async def test_a_long_prompt_is_charged_at_its_own_rate(api: Api, provider: FakeProvider) -> None:
    prices = {"long_context_over": 1000, "long_prompt": "0.000002", "long_completion": "0.000004"}
    await offer(api, {"prices": prices})
    provider.reply(json=completion_json(usage={"prompt_tokens": 1001, "completion_tokens": 5}))

    response = await api.complete("Hello")

    assert response.json()["usage"]["cost"] == float(
        1001 * Decimal("0.000002") + Decimal("0.00002")
    )


@pytest.mark.parametrize("stream", [False, True])
async def test_an_empty_answer_that_finished_costs_its_prompt(
    api: Api, provider: FakeProvider, stream: bool
) -> None:
    await offer(api, {})
    empty = {"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 0}
    reply = {"events": [chunk("", "stop"), usage_chunk(**usage), "[DONE]"]} if stream else {}
    provider.reply(**reply or {"json": completion_json(choices=[empty], usage=usage)})

    response = await api.complete("Hello", stream=stream)

    row = await row_of(response)
    assert (row.status, row.cost) == ("completed", Decimal("0.00001"))


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_is_empty_and_unfinished_costs_nothing(
    api: Api, provider: FakeProvider, stream: bool
) -> None:
    await offer(api, {})
    empty = {"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": None}
    reply = {"events": [chunk(""), usage_chunk()]} if stream else {}
    provider.reply(**reply or {"json": completion_json(choices=[empty])})

    response = await api.complete("Hello", stream=stream)

    row = await Generation.objects.aget()
    assert (response.status_code, row.status, row.cost) == (502, "failed", 0)


async def test_an_answer_that_ends_in_an_error_is_insured(api: Api, provider: FakeProvider) -> None:
    await offer(api, {})
    failure = {"error": {"code": 500, "message": "boom"}}
    provider.reply(events=[chunk("Hel"), failure])

    response = await api.complete("Hello", stream=True)

    row = await Generation.objects.aget()
    last = events_of(response)[-2]
    assert (last["error"]["code"], last["choices"][0]["finish_reason"]) == (502, "error")
    assert (row.status, row.cost, row.cost_lines[-1]["class"]) == ("failed", 0, "insurance")


CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def finishes(events: list[Any]) -> list[str]:
    choices = [event["choices"][0] for event in events[:-1]]
    return [one["finish_reason"] for one in choices if one["finish_reason"] is not None]


@pytest.mark.parametrize("last", [{}, {"delta": None}])
async def test_a_finish_without_a_delta_is_a_finish(
    api: Api, provider: FakeProvider, last: dict[str, Any]
) -> None:
    await offer(api, {})
    ending = {"choices": [last | {"index": 0, "finish_reason": "max_tokens"}]}
    provider.reply(events=[chunk("Hi"), ending, usage_chunk(), "[DONE]"])

    events = events_of(await api.complete("Hello", stream=True))

    assert finishes(events) == ["length"]
    assert events[1]["choices"][0]["delta"] == {}


@pytest.mark.parametrize(
    ("said", "finish"),
    [({"content": "Hi"}, "stop"), ({"content": None, "tool_calls": [CALL]}, "tool_calls")],
)
@pytest.mark.parametrize("mode", ["stream", "json", "json for a stream"])
async def test_an_answer_that_ends_without_a_finish_gets_one(
    api: Api, provider: FakeProvider, said: dict[str, Any], finish: str, mode: str
) -> None:
    await offer(api, {})
    part = {"index": 0, "finish_reason": None}
    reply = {"json": completion_json(choices=[part | {"message": said}])}
    stream = {"events": [{"choices": [part | {"delta": said}]}, usage_chunk(), "[DONE]"]}
    provider.reply(**stream if mode == "stream" else reply)

    response = await api.complete("Hello", stream=mode != "json")

    told = [response.json()["choices"][0]["finish_reason"]] if mode == "json" else None
    assert (told or finishes(events_of(response))) == [finish]
    assert (await row_of(response)).finish_reason == finish


async def test_the_calls_of_json_for_a_stream_are_numbered(
    api: Api, provider: FakeProvider
) -> None:
    await offer(api, {})
    message = {"role": "assistant", "content": None, "tool_calls": [CALL, CALL | {"id": "call_2"}]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    provider.reply(json=completion_json(choices=[choice]))

    events = events_of(await api.complete("Hello", stream=True))

    calls = events[0]["choices"][0]["delta"]["tool_calls"]
    assert [(call["index"], call["id"]) for call in calls] == [(0, "call_1"), (1, "call_2")]


async def test_json_without_a_message_is_no_stream(api: Api, provider: FakeProvider) -> None:
    await offer(api, {})
    provider.reply(json=completion_json(choices=[{"index": 0, "finish_reason": "stop"}]))

    response = await api.complete("Hello", stream=True)

    assert response.status_code == 502


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_can_be_answered_whatever_its_id(
    api: Api, provider: FakeProvider, stream: bool
) -> None:
    await offer(api, {"slug": "a/one"})
    call = {"id": "x" * 5000, "type": "function", "function": {"name": "f", "arguments": "{}"}}
    said = {"role": "assistant", "content": None, "tool_calls": [call | {"index": 0}]}
    choice = {"index": 0, "finish_reason": "tool_calls"}
    reply = {"events": [{"choices": [choice | {"delta": said}]}, "[DONE]"]}
    provider.reply(**reply if stream else {"json": {"choices": [choice | {"message": said}]}})
    provider.reply(json=completion_json())

    response = await api.complete("Hello", stream=stream)

    answer = events_of(response)[0] if stream else response.json()
    [call] = answer["choices"][0]["delta" if stream else "message"]["tool_calls"]
    asked = {"role": "assistant", "content": None, "tool_calls": [call]}
    told = {"role": "tool", "content": "42", "tool_call_id": call["id"]}
    again = await api.post({"model": "a/one", "messages": [asked, told]})
    assert again.status_code == 200


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (rb'"a\ud83db"', "a\ufffdb"),
        (rb'"\ude00"', "\ufffd"),
        (rb'"\ud83d\ude00\ud83d"', "\U0001f600\ufffd"),
        (rb'"\\ud83d \ud83d"', "\\ud83d \ufffd"),
    ],
)
def test_half_a_character_costs_no_other_text(sent: bytes, read: str) -> None:
    assert wire.parsed(sent) == read


def test_what_is_not_json_stays_refused() -> None:
    with pytest.raises(orjson.JSONDecodeError):
        wire.parsed(rb'{"a": oops')
