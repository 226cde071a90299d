import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from autorouter_site.guard import CappedBody
from autorouter_site.turns import Turns

WHOLE = {"type": "http.request", "body": b"", "more_body": False}
PART = {"type": "http.request", "body": b"x", "more_body": True}
LEFT = {"type": "http.disconnect"}


def body_of(*messages: dict[str, Any]) -> CappedBody:
    """The body of a client that sends these and then stays."""
    arriving = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(arriving, None) or await asyncio.Event().wait()

    return CappedBody(receive)


@pytest.fixture
async def turns() -> AsyncIterator[Turns]:
    """One place, which is taken; whoever waits gives up soon."""
    made = Turns(1, wait_seconds=0.05)
    async with made.take(body_of(WHOLE)):
        yield made


async def take(turns: Turns, body: CappedBody) -> bool:
    async with turns.take(body) as has_place:
        return has_place


async def test_who_waits_too_long_has_no_place(turns: Turns) -> None:
    assert not await take(turns, body_of(WHOLE))


async def test_who_waits_is_next() -> None:
    turns = Turns(1)
    async with AsyncExitStack() as first:
        await first.enter_async_context(turns.take(body_of(WHOLE)))
        second = asyncio.create_task(take(turns, body_of(WHOLE)))
        await asyncio.sleep(0)
        assert not second.done()

    assert await second


@pytest.mark.parametrize("messages", [(LEFT,), (WHOLE, LEFT)])
async def test_a_client_that_leaves_waits_no_longer(messages: tuple[dict[str, Any], ...]) -> None:
    turns = Turns(1, wait_seconds=60)
    async with turns.take(body_of(WHOLE)), asyncio.timeout(1):
        assert not await take(turns, body_of(*messages))

    assert await take(turns, body_of(WHOLE))


@pytest.mark.parametrize("moment", [lambda task: task.cancel(), lambda task: None])
async def test_a_place_outlives_whoever_is_cancelled(
    moment: Callable[[asyncio.Task[bool]], object],
) -> None:
    turns = Turns(1, wait_seconds=60)
    async with turns.take(body_of(WHOLE)):
        waiting = asyncio.create_task(take(turns, body_of(WHOLE)))
        await asyncio.sleep(0.01)
        moment(waiting)
    # The place is handed over now, and its new holder goes.
    waiting.cancel()
    await asyncio.wait((waiting,))

    assert await asyncio.wait_for(take(turns, body_of(WHOLE)), 1)


async def test_what_was_read_meanwhile_is_not_lost(turns: Turns) -> None:
    body = body_of(PART, WHOLE, LEFT)

    await take(turns, body)

    assert [await body.receive() for _ in range(3)] == [PART, WHOLE, LEFT]
