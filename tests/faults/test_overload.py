"""More than the server can do, one tenant that wants it all, few files, a full broker."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.gateway import Gateway
from tests.faults.load import Ask, Seen, ends
from tests.faults.size import SIZE
from tests.faults.stack import Stack, memory_kb, wait_until

pytestmark = pytest.mark.slow

FEW_FILES = 64
PARALLEL = 20


def goodput(
    stack: Stack, secrets: list[str], clients: int, seconds: float
) -> tuple[float, list[Seen]]:
    """Answers a second that so many clients get, each of which asks anew once answered."""
    first, started = len(stack.clients.seen), time.monotonic()
    running = [stack.clients.send(Ask(secrets[n % len(secrets)])) for n in range(clients)]
    while time.monotonic() - started < seconds:
        for number, one in enumerate(running):
            if one.done():
                running[number] = stack.clients.send(Ask(secrets[number % len(secrets)]))
        time.sleep(0.002)
    done = ends(stack.clients.seen[first:])["done"]
    elapsed = time.monotonic() - started
    for one in running:
        one.result(60)
    return done / elapsed, stack.clients.seen[first:]


def test_five_times_too_much_is_answered_as_well_as_it_goes(stack: Stack) -> None:
    secrets = [stack.tenant() for _ in range(8)]
    goodput(stack, secrets, 16, 2)
    peak, _ = goodput(stack, secrets, 16, SIZE.overload_seconds / 2)
    memory = memory_kb(stack)

    overloaded, seen = goodput(stack, secrets, 80, SIZE.overload_seconds)
    grown = memory_kb(stack) - memory
    ended = time.monotonic()
    wait_until(lambda: stack.ask(secrets[0]).seconds < 0.5, 5)

    print(f"peak {peak:.0f}/s, five times as many {overloaded:.0f}/s: {dict(ends(seen))}")
    print(f"{grown / 1024:.0f} MB more, back after {time.monotonic() - ended:.1f} s")
    assert overloaded > 0.8 * peak
    assert set(ends(seen)) <= {"done", "refused"}
    assert all(one.headers["retry-after"] for one in seen if one.end == "refused")
    assert grown < 64 * 1024


def test_one_tenant_that_floods_leaves_the_others_served(stack: Stack) -> None:
    flooding, quiet = stack.tenant(), stack.tenant()
    flood = [stack.clients.send(Ask(flooding, "faulty/stream-60", True)) for _ in range(200)]
    time.sleep(0.2)

    others = [stack.ask(quiet) for _ in range(20)]

    slowest = sorted(one.seconds for one in others)[-2]
    print(f"the others' second slowest answer: {slowest:.2f} s")
    assert ends(others) == {"done": 20}
    assert slowest < 2
    assert set(ends([one.result(60) for one in flood])) <= {"done", "refused"}


@pytest.fixture
def strict_gateway(stack: Stack, tmp_path: Path) -> Iterator[Gateway]:
    """Another server on the same database, which allows each key few requests at once."""
    (tmp_path / "static").mkdir()
    listed = f"127.0.0.1:{stack.upstream.port}"
    few = str(PARALLEL)
    gateway = Gateway(tmp_path, listed, stack.database.url, AUTOROUTER_MAX_PARALLEL=few)
    gateway.start()
    yield gateway
    gateway.close()


def one_by_one(stack: Stack, secret: str, port: int) -> list[Seen]:
    """Twenty requests, the slowest last."""
    seen = [stack.clients.send(Ask(secret, port=port)).result(20) for _ in range(20)]
    return sorted(seen, key=lambda one: one.seconds)


def test_who_has_enough_under_way_is_told_at_once(stack: Stack, strict_gateway: Gateway) -> None:
    flooding, quiet, port = stack.tenant(), stack.tenant(), strict_gateway.port
    alone = one_by_one(stack, quiet, port)
    wish = Ask(flooding, "faulty/stream-200", True, port=port)
    flood = [stack.clients.send(wish) for _ in range(10 * PARALLEL)]
    running = "SELECT count(*) FROM activity_generation WHERE status = 'open'"
    wait_until(lambda: stack.sql(running) == [(PARALLEL,)], 10)
    refused, beside = one_by_one(stack, flooding, port), one_by_one(stack, quiet, port)

    print(f"told after {1000 * refused[-2].seconds:.0f} ms; the others' second slowest answer:")
    print(f"alone {1000 * alone[-2].seconds:.0f} ms, beside {1000 * beside[-2].seconds:.0f} ms")
    assert {(one.status, one.headers["retry-after"]) for one in refused} == {(429, "1")}
    assert refused[-2].seconds < 0.1
    assert ends(beside) == {"done": 20}
    assert beside[-2].seconds < 1.5 * alone[-2].seconds + 0.05
    assert ends([one.result(60) for one in flood]) == {"done": PARALLEL, "refused": 9 * PARALLEL}


@pytest.fixture
def small_gateway(stack: Stack, tmp_path: Path) -> Iterator[Gateway]:
    """Another server on the same database, far from UTC and with few files."""
    (tmp_path / "static").mkdir()
    listed = f"127.0.0.1:{stack.upstream.port}"
    gateway = Gateway(tmp_path, listed, stack.database.url, TZ="Pacific/Kiritimati")
    gateway.start(open_files=FEW_FILES)
    yield gateway
    gateway.close()


def test_few_files_refuse_some_and_break_nothing(stack: Stack, small_gateway: Gateway) -> None:
    secret, port = stack.tenant(), small_gateway.port
    wish = Ask(secret, "faulty/stream-60", True, port=port, patience=20)

    crowd = stack.clients.send_all([wish] * 100)

    print(f"100 streams with {FEW_FILES} files: {dict(ends(crowd))}")
    assert ends(crowd)["silent"] == 0
    assert {one.status for one in crowd if one.end == "refused"} <= {502, 503}
    assert small_gateway.is_alive()
    wait_until(lambda: stack.clients.send(Ask(secret, port=port)).result(20).end == "done", 10)


def test_a_full_broker_slows_no_request(stack: Stack) -> None:
    secret = stack.tenant()
    before = sorted(stack.ask(secret).seconds for _ in range(20))[-2]
    stack.sql("SELECT pgmq.create('crowded')")
    many = """
        SELECT count(*) FROM generate_series(1, %s), LATERAL pgmq.send('crowded', '{}'::jsonb)
    """
    stack.sql(many, SIZE.broker_tasks)

    after = sorted(stack.ask(secret).seconds for _ in range(20))[-2]
    stack.sql("SELECT pgmq.drop_queue('crowded')")

    assert after < 2 * before + 0.2
