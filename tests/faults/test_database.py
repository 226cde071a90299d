"""What becomes of requests, running and new, while the database is away."""

import time

import pytest

from tests.faults.load import Ask
from tests.faults.stack import Stack, wait_until

pytestmark = pytest.mark.slow


def streams(stack: Stack) -> int:
    """How many streams of this kind the provider was ever asked for."""
    return int(stack.upstream.stats()["scripts"].get("stream-200", 0))


def test_a_killed_database_loses_no_row_and_breaks_no_stream(stack: Stack) -> None:
    secret = stack.tenant()
    assert stack.ask(secret).status == 200
    called = streams(stack)
    running = stack.clients.send(Ask(secret, "faulty/stream-200", stream=True))
    wait_until(lambda: streams(stack) > called, 5)
    stack.kill_database()

    refused = stack.ask(secret)

    assert (refused.status, refused.is_told_why()) == (503, True)
    assert refused.headers["retry-after"]
    assert refused.seconds < 3
    assert running.result(20).end == "done"
    journals = (stack.folder / "journal").glob("*.jsonl")
    assert running.result().generation_id in "".join(path.read_text() for path in journals)

    stack.start_database()
    back = time.monotonic()

    wait_until(lambda: stack.ask(secret).status == 200, 5)
    settled = "SELECT DISTINCT status FROM activity_generation WHERE key_id = %s"
    wait_until(lambda: stack.sql(settled, stack.key_id(secret)) == [("completed",)], 5)
    assert time.monotonic() - back < 10
