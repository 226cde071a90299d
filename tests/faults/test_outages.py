"""The database is away, mute, slow, full or read-only: refusals are quick, and nothing is lost."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.faults.load import Ask, Seen, ends, half_streams
from tests.faults.size import IS_LONG, SIZE
from tests.faults.stack import Stack, open_folder, wait_until
from tests.faults.test_steps import INTENT_UNHEARD, SETTLEMENT_UNHEARD

pytestmark = pytest.mark.slow


def assert_refused_as_promised(seen: list[Seen]) -> None:
    """JSON, 503, when to come back, and all of it soon."""
    refused = [one for one in seen if one.end == "refused"]
    assert {one.status for one in refused} <= {503}
    assert all(one.is_told_why() and one.headers["retry-after"] for one in refused)
    assert max((one.seconds for one in refused), default=0) < 3


def test_outages_of_the_database_lose_nothing(stack: Stack) -> None:
    secrets = [stack.tenant() for _ in range(3)]
    turn = iter(range(10**9))
    first = len(stack.clients.seen)
    recoveries = []
    stack.clients.keep_sending(lambda: half_streams(secrets[next(turn) % 3]), 20)
    time.sleep(2)
    for _ in range(SIZE.outages):
        stack.kill_database()
        time.sleep(SIZE.outage_seconds)
        stack.start_database()
        back = time.monotonic()
        wait_until(lambda: stack.ask(secrets[0]).status == 200, 10)
        recoveries.append(time.monotonic() - back)
        time.sleep(2)
    seen = stack.clients.finish()[first:]

    slowest = max(one.seconds for one in seen if one.end == "refused")
    print(f"{len(seen)} requests: {dict(ends(seen))}, slowest refusal {slowest:.2f} s, service")
    print(f"back after {', '.join(f'{seconds:.1f} s' for seconds in recoveries)}")
    assert set(ends(seen)) == {"done", "refused"}
    assert_refused_as_promised(seen)
    assert max(recoveries) < 5


def burst(stack: Stack, requests: int = 20) -> list[Seen]:
    """Requests at once, of two keys: one that the server knows and one that it must look up."""
    known, new = stack.tenant(), stack.tenant()
    return stack.clients.send_all([Ask(secret) for secret in (known, new)] * (requests // 2))


@pytest.mark.parametrize("how", ["refuse", "swallow"])
def test_a_database_out_of_reach_is_a_503_and_no_stream_breaks(stack: Stack, how: str) -> None:
    stream = stack.clients.send(Ask(stack.tenant(), "faulty/stream-200", stream=True))
    wait_until(lambda: stack.sql("SELECT 1 FROM activity_generation WHERE status = 'open'"), 5)
    getattr(stack.store, how)()

    refused = burst(stack)
    during = stream.result(20)
    stack.store.heal()

    assert ends(refused) == {"refused": 20}
    assert_refused_as_promised(refused)
    assert during.end == "done"
    wait_until(lambda: stack.ask(stack.tenant()).status == 200, 5)


def test_an_intent_whose_commit_was_not_heard_of_is_undone(stack: Stack) -> None:
    secret = stack.tenant("5")
    stack.ask(secret)
    stack.store.set(**INTENT_UNHEARD)

    refused = stack.ask(secret)
    stack.store.heal()

    assert (refused.status, refused.is_told_why()) == (503, True)
    rows = "SELECT status, cost FROM activity_generation WHERE key_id = %s ORDER BY created_at"
    statuses = ["completed", "interrupted"]
    wait_until(lambda: [r[0] for r in stack.sql(rows, stack.key_id(secret))] == statuses, 15)


def test_a_settlement_whose_commit_was_not_heard_of_counts_once(stack: Stack) -> None:
    secret = stack.tenant("5")
    stack.store.set(**SETTLEMENT_UNHEARD)

    answered = stack.ask(secret)
    stack.store.heal()

    assert answered.end == "done"
    assert answered.seconds < 4
    # It is sent again; until then nothing could count twice.
    wait_until(lambda: not list((stack.folder / "journal").glob("*.jsonl")), 15)


@pytest.mark.parametrize(
    "fault",
    [{"slice_bytes": 7}, {"delay_seconds": 0.01, "jitter_seconds": 0.02}],
    ids=["sliced", "slow"],
)
def test_a_bad_way_to_the_database_is_only_slow(stack: Stack, fault: dict[str, float]) -> None:
    stack.store.set(**fault)

    assert ends(burst(stack)) == {"done": 20}


def test_many_keys_at_once_wait_their_turn_or_are_told(stack: Stack) -> None:
    stack.store.set(delay_seconds=0.02)

    seen = burst(stack, 200)

    assert set(ends(seen)) <= {"done", "refused"}
    assert_refused_as_promised(seen)
    connections = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'autorouter'"
    assert stack.sql(connections)[0][0] < 30


@contextmanager
def read_only(stack: Stack) -> Iterator[None]:
    setting = "ALTER DATABASE autorouter SET default_transaction_read_only = {}"
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    stack.sql(setting.format("on"))
    stack.sql(end)
    yield
    with psycopg.connect(stack.database.url, autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(setting.format("off"))
        connection.execute(end)


@contextmanager
def migrating(stack: Stack) -> Iterator[None]:
    """A migration holds the log for itself."""
    with psycopg.connect(stack.database.url) as connection:
        connection.execute("LOCK TABLE activity_generation IN ACCESS EXCLUSIVE MODE")
        yield


@pytest.mark.parametrize("how", [read_only, migrating], ids=["read-only", "migrating"])
def test_a_database_that_takes_no_row_is_a_503(stack: Stack, how: object) -> None:
    secret = stack.tenant()
    stack.ask(secret)
    with how(stack):
        refused = stack.clients.send_all([Ask(secret) for _ in range(10)])

    assert ends(refused) == {"refused": 10}
    assert_refused_as_promised(refused)
    wait_until(lambda: stack.ask(secret).status == 200, 5)


def test_a_small_call_does_not_wait_for_a_migration(stack: Stack) -> None:
    headers = {"Authorization": f"Bearer {stack.tenant()}"}
    with psycopg.connect(stack.database.url) as connection:
        connection.execute("LOCK TABLE activity_spend IN ACCESS EXCLUSIVE MODE")
        response = httpx.get(f"{stack.gateway.url}/api/v1/key", headers=headers, timeout=20)

    assert response.status_code == 503
    assert "The database took too long" in response.json()["error"]["message"]


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 160 MB with a folder that PostgreSQL may use."""
    with open_folder() as disk:
        mount = ["mount", "-t", "tmpfs", "-o", "size=160m,mode=0711", "tmpfs", str(disk)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("only root may mount a small disk")
        yield disk
        subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.fixture
def small_stack(small_disk: Path) -> Iterator[Stack]:
    with open_folder() as folder:
        stack = Stack(folder, workers=1, disk=small_disk)
        yield stack
        stack.clients.finish()
        stack.close()


def fill(path: Path) -> None:
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


@pytest.mark.skipif(not IS_LONG, reason="part of `make faults`")
def test_a_full_disk_stops_inference_and_loses_nothing(
    small_stack: Stack, small_disk: Path
) -> None:
    stack, secret = small_stack, small_stack.tenant()
    assert stack.ask(secret).status == 200
    stack.clients.keep_sending(lambda: half_streams(secret), 20)
    fill(small_disk / "filler")
    wait_until(lambda: ends(stack.clients.seen)["refused"], 120)
    time.sleep(2)
    (small_disk / "filler").unlink()
    if stack.database.process.poll() is not None:
        stack.kill_database()
    stack.heal()
    wait_until(lambda: stack.ask(secret).status == 200, 10)
    seen = stack.clients.finish()

    print(f"{len(seen)} requests: {dict(ends(seen))}")
    assert set(ends(seen)) <= {"done", "refused"}
    assert_refused_as_promised(seen)
    print(stack.check_books())
