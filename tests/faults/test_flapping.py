import asyncio
from typing import Any

import httpx
import pytest

from activity.models import Attempt, Generation
from routing.health import LEAST_RETRIES, Health
from tests.conftest import in_db
from tests.factories import make_offer
from tests.faults.client import LeavingClient
from tests.faults.conftest import FaultyApi
from tests.faults.processes import closed_port
from tests.routing.values import Clock

pytestmark = pytest.mark.slow

DEAR = {"prompt": "0.00001", "completion": "0.00002"}


@pytest.fixture
def clock(faulty: FaultyApi) -> Clock:
    """The clock by which the process measures cool-downs."""
    clock = Clock()
    faulty.process.health = Health(clock)
    return clock


async def serve_two(faulty: FaultyApi, first: str, second: str = "ok", **at: Any) -> None:
    """The model a/one at Bad, which is cheaper and misbehaves, and at Good."""
    address = {"base_url": faulty.upstream.base_url}
    bad = {"upstream_model": f"faulty/{first}", "at": address | at}
    good = {"upstream_model": f"faulty/{second}", "at": address, "prices": DEAR}
    await in_db(make_offer)("a/one", "bad", **bad)
    await in_db(make_offer)("a/one", "good", **good)
    await faulty.refresh()


async def ask(faulty: FaultyApi, **fields: Any) -> httpx.Response:
    return await faulty.complete("Hello", model="a/one", **fields)


async def served_by(faulty: FaultyApi, **fields: Any) -> tuple[str, int]:
    response = await ask(faulty, **fields)
    row = await Generation.objects.aget(id=response.headers["X-Generation-Id"])
    return row.provider, row.attempts


async def over_time(faulty: FaultyApi, clock: Clock, requests: int, seconds: float) -> list[int]:
    """Statuses of requests in tens at once, with so many seconds for each ten."""
    answers = []
    for _ in range(requests // 10):
        answers += await asyncio.gather(*(ask(faulty) for _ in range(10)))
        clock.now += seconds
    return [answer.status_code for answer in answers]


# U1, U2, U5, U18 and their like, by the seconds that the endpoint is left alone.
COOL_DOWNS = [
    ("refuse", 30),
    ("reset", 30),
    ("hang", 30),
    ("http-401", 300),
    ("http-403", 300),
    ("http-404", 300),
    ("http-429", 7),
    ("http-500", 30),
    ("http-503", 7),
    ("http-529", 30),
    ("redirect", 30),
    ("error-200", 30),
    ("invalid-json", 30),
    ("gzip-lie", 30),
    ("gzip-triple", 30),
]


@pytest.mark.parametrize(("script", "seconds"), COOL_DOWNS)
async def test_a_failing_endpoint_is_skipped_and_probed_again(
    faulty: FaultyApi, clock: Clock, settings: Any, script: str, seconds: int
) -> None:
    settings.AUTOROUTER_ANSWER_SECONDS = 2
    await serve_two(faulty, script)

    first = await served_by(faulty)
    clock.now += seconds - 0.1
    cooling = await served_by(faulty)
    clock.now += 0.2
    probed = [await served_by(faulty), await served_by(faulty)]

    assert [first, cooling, *probed] == [("Good", 2), ("Good", 1), ("Good", 2), ("Good", 1)]


@pytest.mark.parametrize("host", ["127.0.0.1", "nothing.invalid"])
async def test_a_provider_that_cannot_be_reached_is_skipped(
    faulty: FaultyApi, clock: Clock, settings: Any, host: str
) -> None:
    address = f"{host}:{closed_port()}"
    settings.AUTOROUTER_PRIVATE_UPSTREAMS += [address]
    await serve_two(faulty, "ok", base_url=f"http://{address}/v1")

    assert [await served_by(faulty), await served_by(faulty)] == [("Good", 2), ("Good", 1)]


async def test_a_certificate_that_nobody_signed_is_skipped(faulty: FaultyApi, clock: Clock) -> None:
    plain = faulty.upstream.base_url.replace("http:", "https:")
    await serve_two(faulty, "ok", base_url=plain)

    assert [await served_by(faulty), await served_by(faulty)] == [("Good", 2), ("Good", 1)]


@pytest.mark.parametrize("script", ["http-400", "http-413"])
async def test_a_request_that_is_wrong_cools_nothing(
    faulty: FaultyApi, clock: Clock, script: str
) -> None:
    await serve_two(faulty, script)

    answers = [await ask(faulty), await ask(faulty), await ask(faulty)]

    assert [answer.status_code for answer in answers] == [400] * 3


async def test_silence_in_mid_stream_cools_the_endpoint(
    faulty: FaultyApi, clock: Clock, settings: Any
) -> None:
    settings.AUTOROUTER_NEXT_BYTE_SECONDS = 1
    await serve_two(faulty, "hang-mid-stream")
    await ask(faulty, stream=True)

    assert await served_by(faulty, stream=True) == ("Good", 1)


async def test_a_client_that_leaves_says_nothing_of_the_endpoint(
    faulty: FaultyApi, clock: Clock
) -> None:
    await serve_two(faulty, "stream-50")
    await LeavingClient(faulty, {"model": "a/one", "stream": True}, leave_after=2).run()

    assert await served_by(faulty, stream=True) == ("Bad", 1)


async def test_the_total_deadline_says_nothing_of_an_endpoint(
    faulty: FaultyApi, clock: Clock, settings: Any
) -> None:
    settings.AUTOROUTER_TOTAL_SECONDS = 0.5
    await serve_two(faulty, "long-stream")
    await ask(faulty, stream=True)

    assert await served_by(faulty, stream=True) == ("Bad", 1)


async def test_no_fallback_begins_after_the_total_deadline(
    faulty: FaultyApi, clock: Clock, settings: Any
) -> None:
    settings.AUTOROUTER_TOTAL_SECONDS = 0.5
    await serve_two(faulty, "hang")

    response = await ask(faulty)

    assert response.status_code == 504
    assert await Attempt.objects.acount() == 1


async def test_a_flapping_endpoint_beside_a_good_one_costs_no_client_an_answer(
    faulty: FaultyApi, clock: Clock
) -> None:
    await serve_two(faulty, "flaky-random")

    statuses = await over_time(faulty, clock, requests=300, seconds=5)

    assert statuses == [200] * 300
    # A fifth of the requests, ten at once, and one in each of the 150 seconds.
    assert await Attempt.objects.acount() <= 1.2 * 300 + LEAST_RETRIES + 150


async def test_where_both_flap_the_load_stays_bounded(faulty: FaultyApi, clock: Clock) -> None:
    await serve_two(faulty, "flaky-random", "flaky-random")

    statuses = await over_time(faulty, clock, requests=300, seconds=0)

    # Two tries of one half each give three quarters at best; a fifth of retries, three fifths.
    assert 0.45 < statuses.count(200) / 300 <= 0.8
    assert await Attempt.objects.acount() <= 1.2 * 300 + LEAST_RETRIES


async def test_a_provider_that_is_down_is_hardly_called(faulty: FaultyApi, clock: Clock) -> None:
    await serve_two(faulty, "http-500")
    before = faulty.upstream.stats()["scripts"].get("http-500", 0)

    statuses = await over_time(faulty, clock, requests=200, seconds=3)

    calls = faulty.upstream.stats()["scripts"]["http-500"] - before
    assert statuses == [200] * 200
    # The first ten at once, and a probe each time that a cool-down of 30 s and more ends.
    assert calls <= 10 + 2
