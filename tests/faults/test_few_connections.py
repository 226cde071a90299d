"""A flood of requests that Django answers, with a database of few connections."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from tests.faults.stack import Stack

pytestmark = pytest.mark.slow

# 16 for each of the two workers, three of a superuser, a few of the test; and those that were
# closed a moment ago, whose server processes are still ending.
CONNECTIONS = 60


def restart_with(stack: Stack, setting: str) -> None:
    stack.sql(setting)
    stack.kill_database()
    stack.heal()


@pytest.fixture
def few_connections(stack: Stack) -> Iterator[Stack]:
    restart_with(stack, f"ALTER SYSTEM SET max_connections = {CONNECTIONS}")
    yield stack
    restart_with(stack, "ALTER SYSTEM RESET max_connections")


async def flood(stack: Stack, paths: list[str], secret: str) -> Counter[tuple[str, int]]:
    """The statuses of as many requests at once as there are paths."""
    limits = httpx.Limits(max_connections=len(paths))
    headers = {"Authorization": f"Bearer {secret}"}
    async with httpx.AsyncClient(headers=headers, limits=limits, timeout=30) as client:
        asked = (client.get(stack.gateway.url + path) for path in paths)
        answers = await asyncio.gather(*asked)
    return Counter((answer.url.path, answer.status_code) for answer in answers)


def test_a_flood_of_reads_takes_no_more_connections_than_there_are(few_connections: Stack) -> None:
    secret = few_connections.tenant()
    paths = ["/api/v1/models"] * 200 + ["/api/v1/key"] * 100 + ["/readyz"] * 10

    statuses = asyncio.run(flood(few_connections, paths, secret))

    print(statuses)
    assert statuses == {(path, 200): paths.count(path) for path in paths}
