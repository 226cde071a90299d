"""Clients that hang up, are cut off, send in pieces or hurry ahead, on real sockets."""

import re
import socket
import time

import pytest

from tests.faults.load import Ask, Seen, ends, request_bytes, text_of
from tests.faults.stack import Stack, wait_until

pytestmark = pytest.mark.slow

ROW = (
    "SELECT status, error_type, completion_tokens, cost > 0 FROM activity_generation WHERE id = %s"
)


def seen_in(received: bytes) -> list[Seen]:
    """What a client of raw bytes saw, one for each answer."""
    ids = re.findall(rb"x-generation-id: (\S+)", received)
    return [Seen("raw", False, headers={"x-generation-id": i.decode()}) for i in ids]


@pytest.mark.parametrize("resets", [False, True], ids=["fin", "rst"])
def test_hanging_up_ends_the_bill_within_a_second(stack: Stack, resets: bool) -> None:
    before = stack.upstream.stats()["closed_by_peer"].get("long-stream", 0)
    wish = Ask(stack.tenant(), "faulty/long-stream", True, leave_after=1.5, resets=resets)

    left = stack.clients.send(wish).result(20)
    gone = time.monotonic()
    wait_until(lambda: stack.upstream.stats()["closed_by_peer"].get("long-stream", 0) > before, 5)
    seconds = time.monotonic() - gone

    assert seconds < 1
    wait_until(lambda: stack.sql(ROW, left.generation_id)[0][0] == "cancelled", 5)
    _, error_type, tokens, is_charged = stack.sql(ROW, left.generation_id)[0]
    assert (error_type, is_charged) == ("client_left", True)
    assert 0 < tokens <= 25


def test_hanging_up_before_the_first_byte_costs_nothing(stack: Stack) -> None:
    secret = stack.tenant()

    stack.clients.send(Ask(secret, "faulty/hang", True, leave_after=0.0)).result(20)
    stack.clients.send(Ask(secret, "faulty/hang", True, leave_after=0.5)).result(20)

    rows = "SELECT DISTINCT status, cost > 0 FROM activity_generation WHERE key_id = %s"
    wait_until(lambda: stack.sql(rows, stack.key_id(secret)) == [("cancelled", False)], 5)


@pytest.mark.parametrize(
    "faults",
    [{"slice_bytes": 1}, {"delay_seconds": 0.05, "jitter_seconds": 0.3}],
    ids=["sliced", "jitter"],
)
def test_a_bad_line_to_the_client_changes_no_text(stack: Stack, faults: dict[str, float]) -> None:
    stack.front.set(**faults)
    wish = Ask(stack.tenant(), "faulty/stream-20", True, port=stack.front.port)

    seen = stack.clients.send_all([wish] * 5)

    assert {text_of(one) for one in seen} == {"".join(f" {n:03}" for n in range(20))}


def test_a_line_that_resets_is_a_clean_cut(stack: Stack) -> None:
    stack.front.set(reset_share=0.05)
    wish = Ask(stack.tenant(), "faulty/stream-60", True, port=stack.front.port)

    seen = stack.clients.send_all([wish] * 20)

    assert set(ends(seen)) <= {"cut", "done"}
    assert ends(seen)["cut"]


@pytest.mark.parametrize(
    "faults",
    [{"slice_bytes": 3}, {"delay_seconds": 0.05, "jitter_seconds": 0.1}],
    ids=["sliced", "jitter"],
)
def test_a_bad_line_to_the_provider_changes_no_text(stack: Stack, faults: dict[str, float]) -> None:
    stack.back.set(**faults)

    seen = stack.clients.send_all([Ask(stack.tenant(), "back/stream-20", True)] * 5)

    assert {text_of(one) for one in seen} == {"".join(f" {n:03}" for n in range(20))}


def test_a_provider_cut_off_mid_stream_is_told_in_the_stream(stack: Stack) -> None:
    secret = stack.tenant()
    running = stack.clients.send(Ask(secret, "back/stream-200", True))
    begun = "SELECT 1 FROM activity_attempt WHERE model = 'back/stream-200' AND status = 'open'"
    wait_until(lambda: stack.sql(begun), 5)
    time.sleep(0.5)
    stack.back.reset()

    seen = running.result(20)

    assert seen.end == "error"
    assert stack.sql(ROW, seen.generation_id)[0][0::3] == ("failed", False)


def test_a_pipelined_request_gets_its_own_answer_or_none(stack: Stack) -> None:
    secret = stack.tenant()
    body = b'{"model": "faulty/%s", "stream": %s, "messages": [{"role": "user", "content": "Hi"}]}'
    first = request_bytes(secret, body % (b"stream-20", b"true"), "keep-alive")
    second = request_bytes(secret, body % (b"ok", b"false"))
    with socket.create_connection(("127.0.0.1", stack.gateway.port), timeout=20) as peer:
        peer.sendall(first + second)
        received = b"".join(iter(lambda: peer.recv(65536), b""))

    stack.clients.seen += seen_in(received)
    assert received.count(b"HTTP/1.1 200") in (1, 2)
    assert received.index(b"[DONE]") < received.rindex(b"faulty/ok")


@pytest.mark.parametrize("model", ["ok-slow", "stream-60"])
def test_a_half_closed_connection_counts_as_hung_up(stack: Stack, model: str) -> None:
    secret = stack.tenant()
    body = b'{"model": "faulty/%s", "stream": %s, "messages": [{"role": "user", "content": "Hi"}]}'
    flag = b"true" if "stream" in model else b"false"
    with socket.create_connection(("127.0.0.1", stack.gateway.port), timeout=20) as peer:
        peer.sendall(request_bytes(secret, body % (model.encode(), flag)))
        # Until it has been taken for a request.
        time.sleep(0.5)
        peer.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: peer.recv(65536), b""))

    stack.clients.seen += seen_in(received) or [Seen("raw", False, end="left")]
    rows = "SELECT status, cost > 0 FROM activity_generation WHERE key_id = %s"
    wait_until(lambda: stack.sql(rows, stack.key_id(secret)) == [("cancelled", True)], 5)
