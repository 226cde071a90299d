from decimal import Decimal
from typing import Any

import pytest

from activity.models import Attempt, Generation
from routing import relay
from tests.conftest import events_of
from tests.faults.conftest import FaultyApi

pytestmark = pytest.mark.slow


async def test_a_silent_endpoint_gives_way_to_the_next(faulty: FaultyApi, settings: Any) -> None:
    settings.AUTOROUTER_FIRST_BYTE_SECONDS = 0.3
    await faulty.serve("hang", "ok")
    models = ["faulty/hang", "faulty/ok"]

    response = await faulty.complete("Hello", model=models[0], models=models, stream=True)

    assert events_of(response)[0]["model"] == "faulty/ok"
    first, second = [attempt async for attempt in Attempt.objects.order_by("number")]
    assert (first.error_type, first.operator_cost, second.status) == ("timeout", None, "succeeded")


async def test_silence_everywhere_is_a_504(faulty: FaultyApi, settings: Any) -> None:
    settings.AUTOROUTER_ANSWER_SECONDS = 0.3
    await faulty.serve("hang")

    response = await faulty.complete("Hello", model="faulty/hang")

    assert response.status_code == 504
    assert (await Generation.objects.aget()).status == "failed"


async def test_silence_between_chunks_ends_the_stream_with_an_event(
    faulty: FaultyApi, settings: Any
) -> None:
    settings.AUTOROUTER_NEXT_BYTE_SECONDS = 0.3
    await faulty.serve("hang-mid-stream")

    response = await faulty.complete("Hello", model="faulty/hang-mid-stream", stream=True)

    *_, error, end = events_of(response)
    assert (error["error"]["code"], end) == (504, "[DONE]")
    row = await Generation.objects.aget()
    assert (row.status, row.cost) == ("failed", Decimal(0))


async def test_an_endless_answer_ends_at_the_total_deadline(
    faulty: FaultyApi, settings: Any
) -> None:
    settings.AUTOROUTER_TOTAL_SECONDS = 0.7
    await faulty.serve("long-stream")

    response = await faulty.complete("Hello", model="faulty/long-stream", stream=True)

    assert events_of(response)[-2]["error"]["code"] == 504
    assert (await Generation.objects.aget()).status == "failed"


async def test_a_waiting_client_gets_comments(
    faulty: FaultyApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "KEEP_ALIVE_SECONDS", 0.2)
    await faulty.serve("ok-slow")

    response = await faulty.complete("Hello", model="faulty/ok-slow", stream=True)

    assert response.text.startswith(": OPENROUTER PROCESSING\n\n")
    assert events_of(response)[-1] == "[DONE]"
