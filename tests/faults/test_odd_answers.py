"""Answers of a provider that are odd rather than wrong, and those that would cost us memory."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from django.utils import timezone

from activity.models import Attempt, Generation
from routing.models import Endpoint, LanguageModel, Provider
from tests.conftest import events_of
from tests.faults.answers import WORDS
from tests.faults.conftest import FaultyApi
from tests.faults.stack import Stack
from tests.faults.test_exchange import ask, text_of
from tests.faults.variants import NASTY

pytestmark = pytest.mark.slow

GOOD = "".join(WORDS)


@pytest.mark.parametrize(
    "script", ["early-hints", "continue-100", "json-for-stream", "two-finishes"]
)
async def test_an_odd_stream_is_an_answer_all_the_same(faulty: FaultyApi, script: str) -> None:
    events = events_of(await ask(faulty, script, stream=True))

    finishes = [e["choices"][0]["finish_reason"] for e in events[:-1] if e["choices"]]
    assert text_of(events) == GOOD
    assert [finish for finish in finishes if finish] == ["stop"]


@pytest.mark.parametrize("script", ["early-hints", "continue-100", "finish-unknown", "finish-null"])
async def test_an_odd_answer_is_an_answer_all_the_same(faulty: FaultyApi, script: str) -> None:
    response = await ask(faulty, script)

    choice = response.json()["choices"][0]
    assert (response.status_code, choice["message"]["content"]) == (200, GOOD)
    assert choice["finish_reason"] in ("stop", None)


@pytest.mark.parametrize(
    "script",
    ["http-101", "http-206", "redirect-307", "nul-header", "gzip-lie", "chunk-extension"],
)
async def test_what_is_no_answer_is_a_502_and_is_not_followed(
    faulty: FaultyApi, script: str
) -> None:
    response = await ask(faulty, script)

    assert response.status_code == 502
    assert "secret-detail" not in response.text
    # One call, wherever the provider wanted to lead us.
    assert len(faulty.upstream.settled_ledger()) == faulty.served_before + 1


@pytest.mark.parametrize(
    "script", ["lying-length-short", "lying-length-long", "bad-chunk", "truncate", "many-headers"]
)
async def test_a_socket_is_not_used_again_after_a_broken_answer(
    faulty: FaultyApi, script: str
) -> None:
    await faulty.serve(script, "ok")
    before = faulty.upstream.stats()["used_connections"]

    broken = await faulty.complete(model=f"faulty/{script}")
    after = await faulty.complete(model="faulty/ok")

    assert broken.status_code == 502
    assert after.json()["choices"][0]["message"]["content"] == GOOD
    assert faulty.upstream.stats()["used_connections"] == before + 2


async def test_hostile_text_is_passed_on_as_text(faulty: FaultyApi) -> None:
    events = events_of(await ask(faulty, "unicode-nasty", stream=True))
    whole = (await faulty.complete(model="faulty/unicode-nasty")).json()

    # Half a character is no text.
    text = "".join(NASTY).replace("\ud800", "\ufffd")
    assert text_of(events) == text
    assert whole["choices"][0]["message"]["content"] == text


async def test_headers_alone_are_no_answer_yet(faulty: FaultyApi) -> None:
    await faulty.serve("truncate-chunked", "ok")
    faulty_first = {"model": "faulty/empty", "models": ["faulty/ok"]}
    await faulty.serve("empty")

    response = await faulty.complete(**faulty_first, stream=True)

    assert text_of(events_of(response)) == GOOD
    assert await Attempt.objects.acount() == 2


async def in_the_middle(faulty: FaultyApi, change: Any) -> httpx.Response:
    """A stream of a second or so, during which something changes."""
    await faulty.serve("stream-60")
    asking = asyncio.create_task(faulty.complete(model="faulty/stream-60", stream=True))
    await asyncio.sleep(0.4)
    await change()
    return await asking


@pytest.mark.parametrize(
    "jumped", [timedelta(days=1), timedelta(days=-1), timedelta(minutes=-5)], ids=str
)
async def test_a_clock_that_jumps_cuts_no_stream(faulty: FaultyApi, jumped: timedelta) -> None:
    traveller = time_machine.travel(timezone.now() + jumped)

    async def jump() -> None:
        traveller.start()

    response = await in_the_middle(faulty, jump)
    traveller.stop()

    row = await Generation.objects.aget()
    assert events_of(response)[-1] == "[DONE]"
    assert row.status == "completed"
    assert abs(row.created_at - timezone.now()) < timedelta(minutes=1)
    assert row.settled_at - row.created_at < timedelta(seconds=30)


async def test_a_model_that_is_deleted_finishes_what_it_began(faulty: FaultyApi) -> None:
    async def delete() -> None:
        await Endpoint.objects.all().adelete()
        await LanguageModel.objects.all().adelete()
        await Provider.objects.all().adelete()
        await faulty.refresh()

    response = await in_the_middle(faulty, delete)

    row = await Generation.objects.aget()
    assert events_of(response)[-1] == "[DONE]"
    assert (row.status, row.routed_model, row.completion_tokens) == (
        "completed",
        "faulty/stream-60",
        60,
    )
    assert (await faulty.complete(model="faulty/stream-60")).status_code in (400, 404)


@pytest.mark.parametrize(("script", "most"), [("gzip-triple", 16), ("big-event", 16)])
def test_a_bomb_takes_little_memory(stack: Stack, script: str, most: int) -> None:
    secret = stack.tenant()
    workers = stack.gateway.workers()
    before = [worker.memory_kb() for worker in workers]
    for worker in workers:
        worker.forget_peak()

    seen = [stack.ask(secret, f"faulty/{script}", stream=True) for _ in range(4)]

    after = [worker.peak_memory_kb() for worker in workers]
    grown = max(now - then for now, then in zip(after, before, strict=True))
    print(f"{script}: {grown / 1024:.1f} MB more at the most")
    assert {one.status for one in seen} <= {502, 503}
    assert grown < most * 1024
