"""Whatever is killed, and however often: nothing is lost, doubled or left open."""

import random
import time

import pytest

from tests.faults.load import Ask, ends, half_streams
from tests.faults.size import SIZE
from tests.faults.stack import Stack, wait_until

pytestmark = pytest.mark.slow

PER_SECOND = 20
VICTIMS = ("worker", "worker", "database", "celery")


def strike(stack: Stack, victim: str) -> None:
    """Kill it, and start again what a service manager would."""
    if victim == "worker":
        # The one that has lived longest.
        stack.kill_worker()
    elif victim == "database":
        stack.kill_database()
        time.sleep(random.random())
        stack.start_database()
    else:
        stack.kill_celery()
        stack.start_celery()


def wait_as_service_manager(stack: Stack, seconds: float) -> None:
    """Start the server again where it ended: granian does, when one worker dies twice in 5.5 s."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not stack.gateway.is_alive():
            stack.gateway.start(stack.worker_count)
        time.sleep(0.1)


def test_random_kills_lose_nothing(stack: Stack) -> None:
    random.seed(4)
    first = len(stack.clients.seen)
    secrets = [stack.tenant() for _ in range(4)]
    victims = [*VICTIMS, *random.choices(VICTIMS, k=SIZE.kills - len(VICTIMS))]
    stack.start_celery()
    stack.clients.keep_sending(lambda: half_streams(random.choice(secrets)), PER_SECOND)

    for victim in victims:
        wait_as_service_manager(stack, SIZE.kill_pause_seconds * (0.5 + random.random()))
        strike(stack, victim)
    wait_as_service_manager(stack, 2)
    seen = stack.clients.finish()[first:]

    print(f"{SIZE.kills} kills, {len(seen)} requests: {dict(ends(seen))}")
    assert ends(seen)["silent"] == 0
    assert ends(seen)["late"] == 0
    assert {one.status for one in seen if one.end == "refused"} <= {503}
    assert all(one.is_told_why() for one in seen if one.end == "refused")
    wait_until(stack.is_serving, 20)
    print(stack.check_books())
    stack.kill_celery()


def test_a_worker_that_dies_is_replaced_while_the_other_serves(stack: Stack) -> None:
    secret = stack.tenant()
    before = stack.gateway.workers()
    streams = [stack.clients.send(Ask(secret, "faulty/stream-200", stream=True)) for _ in range(50)]
    wait_until(lambda: stack.upstream.stats()["scripts"].get("stream-200", 0) >= 50, 15)
    time.sleep(1)

    stack.kill_worker()
    time.sleep(0.1)
    meanwhile = [stack.ask(secret) for _ in range(5)]

    assert ends(meanwhile) == {"done": 5}
    assert set(ends([stream.result(30) for stream in streams])) <= {"cut", "done"}
    wait_until(stack.is_serving, 20)
    assert len(set(stack.gateway.workers()) & set(before)) == 1
    rows = "SELECT count(*) FROM activity_generation WHERE status = 'open'"
    wait_until(lambda: stack.sql(rows) == [(0,)], 15)
