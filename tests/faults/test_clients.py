import asyncio
from decimal import Decimal
from typing import Any

import pytest

from activity.models import Generation
from routing import relay
from tests.faults.client import LeavingClient
from tests.faults.conftest import FaultyApi

pytestmark = pytest.mark.slow


async def hang_up(
    faulty: FaultyApi, script: str, *, after: int | None = None, **body: Any
) -> Generation:
    """Leave after so many parts, or after half a second without any; the final row."""
    client = LeavingClient(faulty, {"model": f"faulty/{script}", "stream": True} | body, after)
    if after is None:
        asyncio.get_running_loop().call_later(0.5, client.left.set)
    await client.run()
    await asyncio.wait(faulty.process.exchanges | {asyncio.create_task(asyncio.sleep(0))})
    return await Generation.objects.aget()


def attempt_of(faulty: FaultyApi, generation: Generation) -> dict[str, Any]:
    rows = faulty.upstream.settled_ledger(seconds=1)
    return next(row for row in rows if row["attempt_id"] == f"{generation.id}:1")


async def test_who_leaves_mid_stream_pays_for_what_was_sent(faulty: FaultyApi) -> None:
    await faulty.serve("stream-200")

    row = await hang_up(faulty, "stream-200", after=5)

    assert (row.status, row.usage_source) == ("cancelled", "estimated")
    assert 0 < row.completion_tokens < 100
    assert row.cost > 0


async def test_the_upstream_is_closed_within_a_second(faulty: FaultyApi) -> None:
    await faulty.serve("long-stream")

    row = await hang_up(faulty, "long-stream", after=3)

    attempt = attempt_of(faulty, row)
    assert (attempt["ended"], attempt["closed_by"]) == (True, "gateway")


async def test_who_leaves_before_the_first_byte_pays_nothing(faulty: FaultyApi) -> None:
    await faulty.serve("hang")

    row = await hang_up(faulty, "hang")

    assert (row.status, row.cost, row.completion_tokens) == ("cancelled", Decimal(0), 0)
    assert attempt_of(faulty, row)["closed_by"] == "gateway"


async def test_who_leaves_a_json_call_pays_for_the_whole_answer(faulty: FaultyApi) -> None:
    await faulty.serve("ok-slow")

    row = await hang_up(faulty, "ok-slow", stream=False)

    assert (row.status, row.usage_source) == ("cancelled", "upstream")
    assert row.cost > 0


async def test_where_leaving_stops_no_bill_the_whole_answer_is_charged(faulty: FaultyApi) -> None:
    await faulty.serve("stream-60", at={"cancel_stops_billing": False})

    row = await hang_up(faulty, "stream-60", after=3)

    assert (row.status, row.usage_source, row.completion_tokens) == ("cancelled", "upstream", 60)


async def test_dropping_just_before_the_usage_is_not_free(faulty: FaultyApi) -> None:
    await faulty.serve("stream-8")

    # The last word is out; the end and the usage come 20 ms apart after it.
    row = await hang_up(faulty, "stream-8", after=8)

    assert (row.status, row.usage_source) == ("cancelled", "estimated")
    assert row.cost > 0
    assert row.completion_tokens > 0


async def test_a_client_that_takes_nothing_is_dropped(
    faulty: FaultyApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "STALL_SECONDS", 0.2)
    monkeypatch.setattr(relay, "KEEP_ALIVE_SECONDS", 0.05)
    await faulty.serve("stream-200")
    client = LeavingClient(faulty, {"model": "faulty/stream-200", "stream": True}, None)
    stuck = asyncio.Event()
    send = client._send

    async def stuck_at_first(message: dict[str, Any]) -> None:
        await stuck.wait()
        await send(message)

    client._send = stuck_at_first
    running = asyncio.create_task(client.run())
    await asyncio.sleep(0.1)
    await asyncio.wait(faulty.process.exchanges)

    row = await Generation.objects.aget()
    assert (row.status, row.error_type) == ("cancelled", "client_stalled")
    # One that goes on all the same is not kept waiting for ever.
    stuck.set()
    async with asyncio.timeout(2):
        await running
    await running


async def test_a_cancelled_turn_leaves_nothing_behind(faulty: FaultyApi) -> None:
    await faulty.serve("long-stream")
    before = asyncio.all_tasks()

    await hang_up(faulty, "long-stream", after=2)

    assert asyncio.all_tasks() <= before | {asyncio.current_task()}
