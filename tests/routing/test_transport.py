"""Leaving, the pool, and all of it at once, on both event loops."""

import asyncio
from random import Random
from typing import Any

import httpx
import pytest

from routing import transport
from routing.transport import Transport
from tests.routing.rawserver import (
    CHUNKED,
    GOOD,
    MEGABYTE,
    OK,
    Peer,
    Script,
    Server,
    answering,
    ask,
    hang,
    hang_up,
    hanging_after,
    leave,
    until,
    whole,
)

pytestmark = pytest.mark.both_loops

STAGES = {
    "before the head": hang,
    "in the head": hanging_after(OK + b"Content-"),
    "before the body": hanging_after(CHUNKED),
    "in the body": hanging_after(CHUNKED + b"2\r\n{}\r\n"),
}


@pytest.mark.parametrize("script", STAGES.values(), ids=STAGES.keys())
async def test_who_is_cancelled_leaves_no_connection(
    sender: Transport, server: Server, script: Script
) -> None:
    server.script = script
    task = asyncio.create_task(whole(sender, server))
    await until(lambda: server.asked)
    await asyncio.sleep(0.05)

    await leave(task)

    assert await server.all_closed()
    assert not sender._open


async def test_who_leaves_while_sending_leaves_no_connection(
    sender: Transport, server: Server
) -> None:
    server.reads_bodies, server.script = False, hang
    task = asyncio.create_task(whole(sender, server, b"x" * 64 * MEGABYTE))
    await until(lambda: server.asked)

    await leave(task)
    await until(lambda: not sender._open)
    # It reads to the end of what was sent, which must not be all.
    rest = await server.peers[0].reader.read() if server.peers else b""

    assert len(rest) < 64 * MEGABYTE


@pytest.mark.parametrize("turns", range(12))
async def test_who_is_cancelled_at_any_turn_leaves_no_connection(
    sender: Transport, server: Server, turns: int
) -> None:
    server.script = hanging_after(CHUNKED + b"2\r\n{}\r\n")
    task = asyncio.create_task(whole(sender, server))
    for _ in range(turns):
        await asyncio.sleep(0.0005)

    await leave(task)

    await until(lambda: not sender._open)
    assert await server.all_closed()


async def test_leaving_early_closes_the_connection(sender: Transport, server: Server) -> None:
    server.script = hanging_after(CHUNKED + b"2\r\n{}\r\n")
    response = await ask(sender, server)
    assert await anext(response.stream) == b"{}"

    await response.aclose()

    assert await server.all_closed()
    with pytest.raises(httpx.ReadError):
        await anext(response.stream)


async def test_closing_the_transport_closes_everything(sender: Transport, server: Server) -> None:
    await whole(sender, server)
    server.script = hang
    tasks = [asyncio.create_task(whole(sender, server)) for _ in range(3)]
    await until(lambda: server.asked == 4)
    server.script = answering(GOOD)
    await whole(sender, server)

    await sender.aclose()

    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [httpx.ReadError] * 3
    assert await server.all_closed()
    with pytest.raises(httpx.ConnectError):
        await whole(sender, server)


# The pool.


async def test_the_connection_used_last_is_used_first(sender: Transport, server: Server) -> None:
    ports: list[int] = []

    async def script(peer: Peer) -> None:
        ports.append(peer.writer.get_extra_info("peername")[1])
        await asyncio.sleep(0.02 * len(ports))
        await peer.send(GOOD)

    server.script = script
    await asyncio.gather(*(whole(sender, server) for _ in range(3)))
    last = ports[-1]
    ports.clear()

    assert [await whole(sender, server) for _ in range(2)] == [b"{}"] * 2
    assert ports == [last] * 2


async def test_an_idle_connection_is_closed_after_a_while(
    sender: Transport, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "KEEP_ALIVE_SECONDS", 0.05)

    await whole(sender, server)

    assert await server.all_closed()
    await until(lambda: not sender._open and sender._sweeping is None)


async def test_a_connection_closed_by_its_peer_is_forgotten(
    sender: Transport, server: Server
) -> None:
    await whole(sender, server)

    server.peers[0].writer.close()

    await until(lambda: not sender._open)
    assert await whole(sender, server) == b"{}"


async def test_no_more_connections_than_allowed_are_open(
    sender: Transport, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MOST_CONNECTIONS", 2)
    most: list[int] = []

    async def script(peer: Peer) -> None:
        most.append(server.open)
        await asyncio.sleep(0.01)
        await peer.send(GOOD)

    server.script = script
    answers = await asyncio.gather(*(whole(sender, server) for _ in range(20)))

    assert answers == [b"{}"] * 20
    assert (max(most), server.accepted) == (2, 2)


async def test_who_waits_for_a_connection_in_vain_is_told(
    sender: Transport, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MOST_CONNECTIONS", 1)
    monkeypatch.setattr(transport, "CONNECT_SECONDS", 0.1)
    server.script = hang
    first = asyncio.create_task(whole(sender, server))
    await until(lambda: server.asked)

    with pytest.raises(httpx.PoolTimeout):
        await whole(sender, server)
    assert not sender._waiting

    second = asyncio.create_task(whole(sender, server))
    await asyncio.sleep(0.02)
    server.script = answering(GOOD)
    await leave(first)
    assert await second == b"{}"
    assert not sender._waiting


async def test_who_leaves_the_queue_holds_no_place(
    sender: Transport, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MOST_CONNECTIONS", 1)
    server.script = hang
    tasks = [asyncio.create_task(whole(sender, server)) for _ in range(3)]
    await until(lambda: server.asked)
    server.script = answering(GOOD)

    # The first frees its place for the second, which leaves in the same turn.
    await leave(tasks[0])
    await leave(tasks[1])

    assert await tasks[2] == b"{}"
    assert len(sender._open) == 1


async def test_an_idle_connection_makes_room_for_another_place(
    sender: Transport, server: Server, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MOST_CONNECTIONS", 1)
    other = Server()
    async with await other.start():
        settings.AUTOROUTER_PRIVATE_UPSTREAMS += [f"127.0.0.1:{other.port}"]
        await whole(sender, server)

        assert await whole(sender, other) == b"{}"

        assert await server.all_closed()
        assert await whole(sender, server) == b"{}"
        assert await other.all_closed()
        await other.stop()


EVIL = OK + b"Content-Length: 4\r\n\r\nevil"


async def test_every_answer_is_that_to_its_request(sender: Transport, server: Server) -> None:
    chance = Random(7)

    async def script(peer: Peer) -> Any:
        nonce, kind = peer.body, chance.randrange(8)
        answer = OK + b"Content-Length: %d\r\n\r\n%b" % (len(nonce), nonce)
        if kind % 2:
            answer = CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(nonce), nonce)
        cut = chance.randrange(len(answer))
        await asyncio.sleep(chance.random() / 200)
        await peer.send(answer[:cut])
        await asyncio.sleep(chance.random() / 500)
        if kind == 2:
            return hang_up
        await peer.send(answer[cut:] + (EVIL if kind == 3 else b""))
        if kind == 4:
            await peer.send(EVIL)
        return hang_up if kind == 5 else None

    async def one(number: int) -> bool | None:
        nonce = b"nonce-%d" % number
        task = asyncio.create_task(whole(sender, server, nonce))
        if number % 5 == 0:
            await asyncio.sleep(number % 7 / 1000)
            task.cancel()
        try:
            return await task == nonce
        except (httpx.TransportError, asyncio.CancelledError):
            return None

    server.script = script
    seen: list[bool | None] = []
    for start in range(0, 600, 20):
        seen += await asyncio.gather(*(one(number) for number in range(start, start + 20)))

    assert seen.count(False) == 0
    assert seen.count(True) > 300
