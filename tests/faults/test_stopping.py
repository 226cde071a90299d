"""A server that is told to stop, is replaced, or freezes."""

import os
import signal
import time

import pytest

from tests.faults.gateway import Worker
from tests.faults.load import Ask, ends, half_streams
from tests.faults.size import SIZE
from tests.faults.stack import Stack, wait_until

pytestmark = pytest.mark.slow


def are_importing(workers: list[Worker]) -> bool:
    return len(workers) == 2 and all(worker.has_loaded("numpy") for worker in workers)


def test_sigterm_lets_short_streams_finish_and_tells_long_ones(stack: Stack) -> None:
    secret = stack.tenant()
    short = [stack.clients.send(Ask(secret, "faulty/stream-200", True)) for _ in range(4)]
    long = [stack.clients.send(Ask(secret, "faulty/long-stream", True)) for _ in range(4)]
    silent = stack.clients.send(Ask(secret, "faulty/hang"))
    everyone = "SELECT count(*) FROM activity_attempt WHERE status = 'open'"
    wait_until(lambda: stack.sql(everyone) == [(9,)], 10)
    time.sleep(0.5)

    started = time.monotonic()
    stack.gateway.begin_stop()
    time.sleep(0.5)
    refused = stack.clients.send_all([Ask(secret) for _ in range(4)])
    stack.gateway.process.wait(timeout=20)
    seconds = time.monotonic() - started

    assert ends([one.result(5) for one in short]) == {"done": 4}
    assert ends([one.result(5) for one in long]) == {"error": 4}
    assert (silent.result(5).status, silent.result(5).is_told_why()) == (503, True)
    assert set(ends(refused)) <= {"refused", "unreachable"}
    assert {one.status for one in refused if one.end == "refused"} <= {503}
    assert seconds < 16
    assert stack.sql("SELECT count(*) FROM activity_generation WHERE status = 'open'") == [(0,)]


def test_workers_that_are_still_starting_end_when_told(stack: Stack) -> None:
    stack.gateway.stop()
    stack.gateway.begin_start(workers=2)
    wait_until(lambda: are_importing(stack.gateway.workers()), 10)

    stack.gateway.begin_stop()

    assert stack.gateway.process.wait(timeout=15) == 0


def test_replacing_both_workers_under_load_loses_nothing(stack: Stack) -> None:
    secrets = [stack.tenant() for _ in range(2)]
    turn = iter(range(10**9))
    first = len(stack.clients.seen)
    stack.clients.keep_sending(lambda: half_streams(secrets[next(turn) % 2]), 20)
    for _ in range(SIZE.restarts):
        before = set(stack.gateway.workers())
        stack.gateway.reload()
        wait_until(lambda before=before: not before & set(stack.gateway.workers()), 60)
    stack.replaced_at = time.monotonic()
    seen = stack.clients.finish()[first:]

    print(f"{len(seen)} requests: {dict(ends(seen))}")
    assert set(ends(seen)) <= {"done", "refused"}
    # New connections go to the others; only what a worker took just before it began to drain.
    assert ends(seen)["refused"] <= 0.03 * len(seen)
    assert {one.status for one in seen if one.end == "refused"} <= {503}
    assert all(one.headers["retry-after"] for one in seen if one.end == "refused")


def test_a_frozen_worker_gives_no_wrong_answer(stack: Stack) -> None:
    secret = stack.tenant()
    streams = [stack.clients.send(Ask(secret, "faulty/stream-60", True)) for _ in range(10)]
    time.sleep(0.3)
    frozen = stack.gateway.workers()[0].pid
    os.kill(frozen, signal.SIGSTOP)
    try:
        waiting = [stack.clients.send(Ask(secret)) for _ in range(10)]
        time.sleep(5)
    finally:
        os.kill(frozen, signal.SIGCONT)

    assert ends([one.result(20) for one in streams]) == {"done": 10}
    assert ends([one.result(20) for one in waiting]) == {"done": 10}
    log = stack.folder / "gateway.log"
    wait_until(lambda: "The event loop stood still for" in log.read_text(errors="replace"), 5)
