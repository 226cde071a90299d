from decimal import Decimal
from typing import Any

import pytest

from activity.models import Generation, Spend
from tests.conftest import Api, FakeProvider, chunk, events_of, in_db, usage_chunk
from tests.factories import make_offer
from tests.routing.splits import LONG, make_split
from tests.routing.stories import offer, row_of


async def test_answers_and_logs_a_completion(api: Api) -> None:
    await in_db(make_offer)(slug="a/one")
    await api.refresh()

    response = await api.complete("Hello")

    assert response.status_code == 200
    answer = response.json()
    assert answer["model"] == "a/one"
    assert answer["choices"][0]["message"]["content"] == "Hello there"
    assert answer["usage"]["cost"] == 0.00002
    row = await Generation.objects.aget(id=response.headers["X-Generation-Id"])
    assert (row.status, row.routed_model, row.cost) == ("completed", "a/one", Decimal("0.00002"))
    assert (row.prompt_tokens, row.completion_tokens) == (10, 5)


async def test_streams_with_usage_once_before_the_end(api: Api, provider: FakeProvider) -> None:
    await in_db(make_offer)(slug="a/one")
    await api.refresh()
    provider.reply(events=[chunk("Hel"), chunk("lo"), chunk("", "stop"), usage_chunk(), "[DONE]"])

    response = await api.complete("Hello", stream=True)

    events = events_of(response)
    assert "".join(e["choices"][0]["delta"].get("content", "") for e in events[:-1]) == "Hello"
    assert [("usage" in event) for event in events[:-1]] == [False, False, False, True]
    assert events[-1] == "[DONE]"
    assert {event["model"] for event in events[:-1]} == {"a/one"}


@pytest.mark.parametrize("stream", [False, True])
async def test_reasoning_goes_by_the_name_that_clients_read(
    api: Api, provider: FakeProvider, stream: bool
) -> None:
    await offer(api, {})
    said = {"content": "Hi", "reasoning_content": "Hmm"}
    choice = {"index": 0, "finish_reason": "stop"}
    whole = {"json": {"choices": [choice | {"message": said}]}}
    streamed = {"events": [{"choices": [choice | {"delta": said}]}, "[DONE]"]}
    provider.reply(**streamed if stream else whole)

    response = await api.complete("Hello", stream=stream)

    answer = events_of(response)[0] if stream else response.json()
    part = answer["choices"][0]["delta" if stream else "message"]
    assert part["reasoning"] == part["reasoning_content"] == "Hmm"
    assert (await row_of(response)).completion_tokens == 2


async def test_text_is_byte_equal_however_the_stream_was_cut(
    api: Api, provider: FakeProvider
) -> None:
    await in_db(make_offer)(slug="a/one")
    await api.refresh()
    splits = [make_split(seed) for seed in range(2_000 if LONG else 100)]
    for split in splits:
        provider.stream(split.pieces)

    answers = [await api.complete("Hello", stream=True) for _ in splits]

    said = [text_of(events_of(answer)) for answer in answers]
    assert said == [split.text for split in splits]


def text_of(events: list[Any]) -> str:
    chunks = [event for event in events if event != "[DONE]"]
    return "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)


async def test_falls_back_before_the_first_byte(api: Api, provider: FakeProvider) -> None:
    await in_db(make_offer)(slug="a/one", provider="down")
    await in_db(make_offer)(slug="a/one", provider="up")
    await api.refresh()
    provider.reply("down", status=503)

    response = await api.complete("Hello")

    row = await Generation.objects.aget(id=response.json()["id"])
    assert (row.provider, row.attempts) == ("Up", 2)


async def test_spend_adds_up_to_the_generations(api: Api) -> None:
    await in_db(make_offer)(slug="a/one")
    await api.refresh()

    await api.complete("one")
    await api.complete("two")

    spent = [row.spent async for row in Spend.objects.filter(owner=f"key:{api.key.pk}")]
    assert spent == [Decimal("0.00004")] * 4
