"""What becomes of requests, running and new, while the database is away."""

import time

import pytest

from tests.faults.load import Ask
from tests.faults.stack import Stack, wait_until

pytestmark = pytest.mark.slow


def test_a_killed_database_loses_no_row_and_breaks_no_stream(stack: Stack) -> None:
    secret = stack.tenant()
    assert stack.ask(secret).status == 200
    running = stack.clients.send(Ask(secret, "faulty/stream-200", stream=True))
    wait_until(lambda: stack.upstream.stats()["scripts"].get("stream-200"), 5)
    stack.kill_database()

    refused = stack.ask(secret)

    assert (refused.status, refused.is_told_why()) == (503, True)
    assert refused.headers["retry-after"]
    assert refused.seconds < 3
    assert running.result(20).end == "done"
    assert list((stack.folder / "journal").glob("*.jsonl"))

    stack.start_database()
    back = time.monotonic()

    wait_until(lambda: stack.ask(secret).status == 200, 5)
    settled = "SELECT count(*) FROM activity_generation WHERE status = 'completed'"
    wait_until(lambda: stack.sql(settled)[0][0] >= 3, 5)
    assert time.monotonic() - back < 10
