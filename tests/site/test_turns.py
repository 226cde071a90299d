import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from autorouter_site.guard import CappedBody
from autorouter_site.turns import Turns

WHOLE = {"type": "http.request", "body": b"", "more_body": False}
PART = {"type": "http.request", "body": b"x", "more_body": True}
LEFT = {"type": "http.disconnect"}


async def stays() -> None:
    await asyncio.Event().wait()


async def leaves() -> None:
    await asyncio.sleep(0)


async def taken(wait_seconds: float) -> Turns:
    """One place, which is taken; whoever waits gives up after so long."""
    turns = Turns(1, wait_seconds)
    assert await turns.take(stays)
    return turns


def body_of(turns: Turns, *messages: dict[str, Any]) -> CappedBody:
    """The body of a client that sends these and then stays."""
    arriving = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(arriving, None) or await asyncio.Event().wait()

    return CappedBody(receive, turns)


async def test_who_waits_too_long_has_no_place() -> None:
    assert not await (await taken(0.01)).take(stays)


async def test_who_waits_is_next() -> None:
    turns = await taken(60)
    second = asyncio.create_task(turns.take(stays))
    await asyncio.sleep(0.01)
    assert not second.done()

    turns.give_back()

    assert await second


async def test_a_client_that_leaves_waits_no_longer() -> None:
    turns = await taken(60)

    async with asyncio.timeout(1):
        assert not await turns.take(leaves)

    turns.give_back()
    assert await turns.take(stays)


@pytest.mark.parametrize("moment", [lambda task: task.cancel(), lambda task: None])
async def test_a_place_outlives_whoever_is_cancelled(
    moment: Callable[[asyncio.Task[bool]], object],
) -> None:
    turns = await taken(60)
    waiting = asyncio.create_task(turns.take(stays))
    await asyncio.sleep(0.01)
    moment(waiting)
    # The place is handed over now, and its new holder goes.
    turns.give_back()
    waiting.cancel()
    await asyncio.wait((waiting,))

    assert await asyncio.wait_for(turns.take(stays), 1)


async def test_who_sends_slowly_holds_no_place() -> None:
    turns = Turns(1)

    assert await body_of(turns, PART).receive() == PART

    assert await turns.take(stays)


async def test_a_body_takes_its_place_with_its_end_and_gives_it_back() -> None:
    turns = Turns(1, wait_seconds=0.01)
    body = body_of(turns, PART, WHOLE)

    assert [await body.receive() for _ in range(2)] == [PART, WHOLE]

    assert not await turns.take(stays)
    await body.close("/", stays)
    assert await turns.take(stays)


async def test_without_a_place_the_client_is_gone_to_django() -> None:
    turns = await taken(0.01)

    assert await body_of(turns, WHOLE).receive() == LEFT
