"""Many clients that come and go leave nothing behind: no row, no money, no socket, no task."""

import itertools
import random
import socket
import time

import pytest

from tests.faults.load import Ask, ends, half_streams
from tests.faults.size import SIZE
from tests.faults.stack import Stack, memory_kb, wait_until

pytestmark = pytest.mark.slow

# What a worker may open meanwhile and keep: connections to the database.
KEPT_FILES = 8
SLOW = "faulty/ok-slow"
ANSWER_SECONDS = [(SLOW, 1.0), ("faulty/stream-20", 0.4), ("faulty/stream-60", 1.2)]
LIMIT_ROWS = "SELECT count(*), sum(cost) FROM activity_generation WHERE key_id = %s"


def files_of(stack: Stack) -> list[int]:
    return [worker.open_files() for worker in stack.gateway.workers()]


def one_of_three_leaves(secret: str, number: int) -> Ask:
    """Leaves at a random point of an answer that takes longer, kindly or not."""
    if number % 3:
        return half_streams(secret)
    model, seconds = random.choice(ANSWER_SECONDS)
    return Ask(secret, model, model != SLOW, seconds * random.random(), random.random() < 0.5)


def test_what_leavers_held_is_given_back(stack: Stack) -> None:
    random.seed(5)
    secret = stack.tenant("50")
    stack.heal()
    files = sum(files_of(stack))
    first = len(stack.clients.seen)
    asked = stack.upstream.stats()["requests"]

    turn = itertools.count()
    stack.clients.keep_sending(lambda: one_of_three_leaves(secret, next(turn)), per_second=60)
    wait_until(lambda: len(stack.clients.seen) - first >= SIZE.churned, SIZE.churned / 10)
    seen = stack.clients.finish()[first:]
    ended = time.monotonic()

    def is_given_back() -> bool:
        # An idle connection to the upstream stays for the next request, up to 30 s.
        idle = stack.upstream.stats()["open_connections"] + KEPT_FILES
        is_open = stack.sql("SELECT 1 FROM activity_generation WHERE status = 'open'")
        return sum(files_of(stack)) <= files + idle and not is_open

    wait_until(is_given_back, 10)
    print(f"{len(seen)} requests: {dict(ends(seen))}; given back {time.monotonic() - ended:.1f} s")
    assert set(ends(seen)) <= {"done", "left"}
    assert ends(seen)["left"] >= 0.3 * len(seen)
    rows, _ = stack.sql(LIMIT_ROWS, stack.key_id(secret))[0]
    assert stack.upstream.stats()["requests"] - asked <= rows <= len(seen)
    assert ends(stack.clients.send_all([Ask(secret) for _ in range(20)])) == {"done": 20}


def test_a_budget_for_twenty_admits_twenty_whatever_dies(stack: Stack) -> None:
    # A prompt of 21 tokens at most and 500 of an answer: 1,021 millionths of a dollar each.
    secret = stack.tenant("0.0205")
    fields = (("max_tokens", 500),)
    wishes = [Ask(secret, "faulty/stream-60", True, fields=fields) for _ in range(SIZE.racing)]
    asking = [stack.clients.send(wish) for wish in wishes]
    key = stack.key_id(secret)
    admitted = "SELECT count(*) FROM activity_generation WHERE key_id = %s"
    wait_until(lambda: stack.sql(admitted, key)[0][0] > 0, 10)
    for _ in range(SIZE.race_kills):
        stack.kill_worker()
        time.sleep(0.3)
    seen = [one.result(60) for one in asking]

    print(f"{SIZE.racing} requests: {dict(ends(seen))}, admitted {stack.sql(admitted, key)[0][0]}")
    assert 0 < stack.sql(admitted, key)[0][0] <= 20
    assert {one.status for one in seen if one.end == "refused"} <= {402, 403}
    stack.heal()
    reserved = "SELECT count(*) FROM activity_spend WHERE owner = %s AND reserved <> 0"
    wait_until(lambda: stack.sql(reserved, f"key:{key}") == [(0,)], 15)


def test_abandoned_connections_cost_nobody_else(stack: Stack) -> None:
    secret = stack.tenant()
    files = sum(files_of(stack))
    alone = sorted(stack.ask(secret).seconds for _ in range(20))[-2]
    left = [
        socket.create_connection(("127.0.0.1", stack.gateway.port)) for _ in range(SIZE.abandoned)
    ]
    try:
        beside = sorted(stack.ask(secret).seconds for _ in range(20))[-2]
    finally:
        for one in left:
            one.close()

    assert beside < 2 * alone + 0.2
    wait_until(lambda: sum(files_of(stack)) <= files + KEPT_FILES, 10)


def test_idle_streams_are_small_and_are_given_back(stack: Stack) -> None:
    secret = stack.tenant()
    stack.clients.send_all([Ask(secret, "faulty/stream-20", True) for _ in range(50)])
    before, files = memory_kb(stack), sum(files_of(stack))

    wish = Ask(secret, "faulty/hang-mid-stream", True, leave_after=4.0 + SIZE.idle_streams / 50)
    streams = [stack.clients.send(wish) for _ in range(SIZE.idle_streams)]
    rows = "SELECT count(*) FROM activity_generation WHERE status = 'open'"
    wait_until(lambda: stack.sql(rows)[0][0] >= SIZE.idle_streams, 20)
    grown = memory_kb(stack) - before
    assert ends([one.result(60) for one in streams]) == {"left": SIZE.idle_streams}

    print(f"{SIZE.idle_streams} idle streams: {grown / SIZE.idle_streams:.0f} KB each")
    assert grown / SIZE.idle_streams < 150
    wait_until(lambda: sum(files_of(stack)) <= files + KEPT_FILES, 10)
