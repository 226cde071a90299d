"""One exchange after another, well-formed or not, on both event loops."""

import asyncio
from random import Random
from typing import Any

import httpx
import pytest

from routing import connection
from routing.transport import Transport
from tests.routing.rawserver import (
    CHUNKED,
    GOOD,
    MEGABYTE,
    OK,
    Peer,
    Server,
    answering,
    ask,
    hang_up,
    hanging_after,
    pausing,
    read,
    until,
    whole,
)

pytestmark = pytest.mark.both_loops


async def test_a_request_is_sent_as_it_was_given(sender: Transport, server: Server) -> None:
    seen: list[Peer] = []
    server.script = lambda peer: answering(GOOD)(seen.append(peer) or peer)

    assert await whole(sender, server, b'{"a": 1}') == b"{}"

    lines = seen[0].head.split(b"\r\n")
    assert lines[0] == b"POST /v1/chat/completions HTTP/1.1"
    assert lines[1] == b"Host: 127.0.0.1:%d" % server.port
    assert seen[0].body == b'{"a": 1}'


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\rb"])
async def test_a_header_never_begins_another(sender: Transport, server: Server, value: str) -> None:
    with pytest.raises(httpx.LocalProtocolError):
        await ask(sender, server, authorization=value)

    assert server.accepted == 0


REUSABLE = [GOOD, CHUNKED + b"2\r\n{}\r\n0\r\n\r\n", b"HTTP/1.1 204 No\r\n\r\n"]
REUSABLE += [CHUNKED + b"2;x=y\r\n{}\r\n0\r\nX-Trailer: 1\r\n\r\n"]
REUSABLE += [OK.replace(b"1.1", b"1.0") + b"Connection: keep-alive\r\nContent-Length: 0\r\n\r\n"]


@pytest.mark.parametrize("answer", REUSABLE)
async def test_a_connection_is_used_again_after_a_whole_answer(
    sender: Transport, server: Server, answer: bytes
) -> None:
    server.script = answering(answer)

    answers = {await whole(sender, server) for _ in range(3)}

    assert len(answers) == 1
    assert (server.accepted, server.asked) == (1, 3)


SPENT = [
    OK + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}",
    OK.replace(b"1.1", b"1.0") + b"Content-Length: 2\r\n\r\n{}",
    GOOD + b"x",
    GOOD + GOOD,
    GOOD + b"HTTP/1.1 100 Continue\r\n\r\n",
    CHUNKED + b"2\r\n{}\r\n0\r\n\r\n0\r\n\r\n",
]


@pytest.mark.parametrize("answer", SPENT)
async def test_a_connection_that_has_more_to_say_is_closed(
    sender: Transport, server: Server, answer: bytes
) -> None:
    server.script = answering(answer)

    assert await whole(sender, server) == b"{}"
    assert await server.all_closed()
    assert await whole(sender, server) == b"{}"

    assert server.accepted == 2


async def test_bytes_on_an_idle_connection_close_it(sender: Transport, server: Server) -> None:
    await whole(sender, server)

    server.peers[0].writer.write(GOOD)

    assert await server.all_closed()


@pytest.mark.parametrize("late", [OK + b"Content-Length: 4\r\n\r\nevil", b""])
async def test_what_is_not_read_yet_is_never_the_next_answer(
    sender: Transport, server: Server, late: bytes
) -> None:
    await whole(sender, server)

    # At once: the event loop has no turn in which it could read this.
    server.peers[0].send_now(late)

    assert await whole(sender, server) == b"{}"
    assert server.accepted == 2


async def test_an_answer_that_made_no_sense_ends_its_connection(
    sender: Transport, server: Server
) -> None:
    response = await ask(sender, server)
    assert [part async for part in response.stream] == [b"{}"]

    response.extensions["abort"]()
    await response.aclose()

    assert await server.all_closed()


@pytest.mark.parametrize("size", [1, 2, 7])
async def test_an_answer_may_come_in_the_smallest_pieces(
    sender: Transport, server: Server, size: int
) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    answer = hints + CHUNKED + b"5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\n"
    pieces = [answer[at : at + size] for at in range(0, len(answer), size)]
    server.script = answering(*pieces)

    assert [await whole(sender, server) for _ in range(2)] == [b"hello world"] * 2
    assert server.accepted == 1


async def test_headers_are_those_of_the_answer_alone(sender: Transport, server: Server) -> None:
    answer = CHUNKED.replace(b"\r\n\r\n", b"\r\nX-One: 1\r\n\r\n") + b"0\r\nX-Late: 1\r\n\r\n"
    server.script = answering(b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + answer)

    response = await ask(sender, server)

    assert dict(response.headers) == {"transfer-encoding": "chunked", "x-one": "1"}
    await read(response)


async def test_a_head_is_handed_over_before_its_body(sender: Transport, server: Server) -> None:
    server.script = hanging_after(OK + b"Content-Length: 2\r\n\r\n")

    async with asyncio.timeout(1):
        response = await ask(sender, server)

    assert response.status_code == 200
    await response.aclose()


async def test_nothing_is_followed_and_nothing_remembered(
    sender: Transport, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    heads: list[bytes] = []
    moved = b"HTTP/1.1 307 Moved\r\nLocation: /else\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    server.script = lambda peer: answering(moved)(heads.append(peer.head) or peer)

    assert [(await ask(sender, server)).status_code for _ in range(2)] == [307, 307]
    assert b"cookie" not in heads[1].lower()


# Answers that are none.

HEADLESS = [
    b"garbage\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\n\r\n",
    b"HTTP/1.1 099 Low\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 42 Short\r\n\r\n",
    OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    OK + b"Content-Length: -2\r\n\r\n{}",
    OK + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    OK + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    OK + b"X-Nul: a\0b\r\nContent-Length: 2\r\n\r\n{}",
    OK + b"X: " + b"y" * MEGABYTE,
    OK + b"X: " + b"y" * 70_000 + b"\r\nContent-Length: 2\r\n\r\n{}",
    OK + b"X: y\r\n" * 20_000 + b"Content-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 " + b"O" * MEGABYTE,
    b"HTTP/1.1 100 Continue\r\n\r\n" * 40_000,
]


@pytest.mark.parametrize("answer", HEADLESS, ids=lambda answer: repr(answer[:60]))
async def test_a_head_that_cannot_be_used_is_an_error(
    sender: Transport, server: Server, answer: bytes
) -> None:
    server.script = hanging_after(answer)

    with pytest.raises(httpx.RemoteProtocolError):
        await whole(sender, server)

    assert await server.all_closed()


BROKEN = [
    CHUNKED + b"2\r\n{}\r\nzz\r\n",
    CHUNKED + b"2\r\n{}xx0\r\n\r\n",
    CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n",
    CHUNKED + b"fffffffffffffffff\r\n{}\r\n",
    CHUNKED + b"2\r\n{}\r\n2;" + b"x" * MEGABYTE,
    CHUNKED + b"2\r\n{}\r\n0\r\nX: " + b"y" * MEGABYTE,
]


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("answer", BROKEN, ids=lambda answer: repr(answer[:60]))
async def test_a_body_whose_framing_breaks_is_an_error(
    sender: Transport, server: Server, answer: bytes, *, cut: bool
) -> None:
    at = len(CHUNKED) + (3 if cut else 0)
    server.script = hanging_after(answer[:at], answer[at:])

    with pytest.raises(httpx.RemoteProtocolError):
        await whole(sender, server)

    assert await server.all_closed()


CUT_SHORT = [
    b"",
    OK,
    GOOD[:-1],
    CHUNKED,
    CHUNKED + b"2\r\n{}\r\n",
    CHUNKED + b"2\r\n{}\r\n0\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    OK + b"Transfer-Encoding: gzip\r\n\r\n{}",
    OK + b"Transfer-Encoding: chunked, gzip\r\n\r\n{}",
]


@pytest.mark.parametrize("answer", CUT_SHORT)
async def test_a_premature_end_is_never_an_end(
    sender: Transport, server: Server, answer: bytes
) -> None:
    server.script = answering(answer, ends=True)

    with pytest.raises(httpx.RemoteProtocolError):
        await whole(sender, server)


@pytest.mark.parametrize("answer", [b"", GOOD[:-1], CHUNKED + b"2\r\n{}\r\n", OK + b"\r\n{}"])
async def test_a_reset_is_never_an_end(sender: Transport, server: Server, answer: bytes) -> None:
    async def script(peer: Peer) -> Any:
        await peer.send(answer)
        await asyncio.sleep(0.05)
        peer.reset()
        return hang_up

    server.script = script

    with pytest.raises(httpx.ReadError):
        await whole(sender, server)


async def test_a_body_without_a_length_ends_with_its_connection(
    sender: Transport, server: Server
) -> None:
    server.script = answering(OK + b"\r\n{", b'"a": 1}', ends=True)

    assert [await whole(sender, server) for _ in range(2)] == [b'{"a": 1}'] * 2
    assert server.accepted == 2


async def test_what_came_before_a_break_is_read_first(sender: Transport, server: Server) -> None:
    server.script = hanging_after(CHUNKED + b"2\r\n{}\r\nzz\r\n")

    response = await ask(sender, server)

    assert await anext(response.stream) == b"{}"
    with pytest.raises(httpx.RemoteProtocolError):
        await anext(response.stream)
    await response.aclose()


# An end that comes late.

END = b"0\r\n\r\n"
ALL_BUT_END = CHUNKED + b"2\r\n{}\r\n"


async def without_its_end(sender: Transport, server: Server) -> bytes:
    """The answer, left by a reader who knows from what it says that nothing follows."""
    response = await ask(sender, server)
    part = await anext(response.stream)
    response.extensions["expect_end"]()
    await response.aclose()
    return part


@pytest.mark.parametrize("pieces", [(END,), (b"0\r", b"\n\r\n"), (b"1\r\n\n\r\n", END)])
async def test_an_end_that_comes_late_is_waited_for(
    sender: Transport, server: Server, pieces: tuple[bytes, ...]
) -> None:
    server.script = pausing(ALL_BUT_END, *pieces)

    for _ in range(2):
        assert await without_its_end(sender, server) == b"{}"
        await until(lambda: any(sender._idle.values()))

    assert await whole(sender, server)
    assert (server.accepted, server.asked) == (1, 3)


MUCH = b"1000\r\n" + bytes(4096) + b"\r\n"
NO_LATE_END = [(b"zz\r\n",), (END + b"x",), (MUCH, END), (b"1\r\nx\r\n",)]


@pytest.mark.parametrize("late", NO_LATE_END)
async def test_what_comes_instead_of_an_end_closes_the_connection(
    sender: Transport, server: Server, monkeypatch: pytest.MonkeyPatch, late: tuple[bytes, ...]
) -> None:
    monkeypatch.setattr(connection, "END_SECONDS", 0.2)
    server.script = pausing(ALL_BUT_END, *late)

    await without_its_end(sender, server)

    assert await server.all_closed()
    assert not sender._open


async def test_an_end_is_waited_for_while_the_transport_lasts(
    sender: Transport, server: Server
) -> None:
    server.script = hanging_after(ALL_BUT_END)
    await without_its_end(sender, server)

    await sender.aclose()

    assert await server.all_closed()


# Large ones.


async def test_who_reads_slowly_is_not_sent_more(sender: Transport, server: Server) -> None:
    size, sent = 64, []

    async def script(peer: Peer) -> None:
        await peer.send(OK + b"Content-Length: %d\r\n\r\n" % (size * MEGABYTE))
        for _ in range(size):
            await peer.send(b"x" * MEGABYTE)
            sent.append(1)

    server.script = script
    response = await ask(sender, server)
    await anext(response.stream)
    await asyncio.sleep(0.3)

    assert len(sent) < size / 2
    assert response.stream.unread_bytes <= 3 * connection.MOST_UNREAD_BYTES
    body = await read(response)
    assert len(body) > (size - 2) * MEGABYTE
    assert len(await whole(sender, server)) == size * MEGABYTE
    assert server.accepted == 1


async def test_a_large_request_arrives_whole(sender: Transport, server: Server) -> None:
    bodies: list[bytes] = []
    server.script = lambda peer: answering(GOOD)(bodies.append(peer.body) or peer)
    sent = Random(1).randbytes(8 * MEGABYTE)

    assert [await whole(sender, server, sent) for _ in range(2)] == [b"{}"] * 2

    assert bodies == [sent, sent]
    assert server.accepted == 1


async def test_an_early_answer_is_seen_while_the_request_is_sent(
    sender: Transport, server: Server
) -> None:
    server.reads_bodies = False
    server.script = hanging_after(b"HTTP/1.1 413 Large\r\nContent-Length: 2\r\n\r\n{}")

    async with asyncio.timeout(2):
        response = await ask(sender, server, b"x" * 64 * MEGABYTE)

    assert (response.status_code, await read(response)) == (413, b"{}")
    server.script = answering(GOOD)
    server.reads_bodies = True
    assert await whole(sender, server) == b"{}"
    assert server.accepted == 2
