import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from activity.models import Attempt, Generation, Spend
from activity.reaper import reap
from tests.factories import make_offer, make_secret
from tests.faults.gateway import Gateway, running_gateway
from tests.faults.processes import FaultyUpstream

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

STREAMS = 10


@pytest.fixture
def secret(transactional_db: None) -> str:
    return make_secret(limit=Decimal(5))[1]


@pytest.fixture
def gateway(
    secret: str, upstream: FaultyUpstream, settings: Any, tmp_path: Path
) -> Iterator[Gateway]:
    address = f"127.0.0.1:{upstream.port}"
    settings.AUTOROUTER_PRIVATE_UPSTREAMS = [address]
    at = {"base_url": upstream.base_url}
    make_offer("faulty/long-stream", upstream_model="faulty/long-stream", at=at)
    (tmp_path / "static").mkdir()
    settings.VAR_DIR = tmp_path
    with running_gateway(tmp_path, address) as running:
        yield running


def read_stream(url: str, secret: str) -> None:
    """Read a stream until it ends, however it ends."""
    body = {
        "model": "faulty/long-stream",
        "stream": True,
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "Hello"}],
    }
    headers = {"Authorization": f"Bearer {secret}"}
    with (
        suppress(httpx.HTTPError),
        httpx.stream(
            "POST", f"{url}/api/v1/chat/completions", json=body, headers=headers, timeout=30
        ) as response,
    ):
        for _ in response.iter_raw():
            pass


def wait_until(is_so: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


def statuses() -> list[str]:
    return list(Generation.objects.values_list("status", flat=True))


def test_kill_9_during_ten_streams_leaves_ten_interrupted_rows(
    gateway: Gateway, secret: str
) -> None:
    with ThreadPoolExecutor(STREAMS) as clients:
        for _ in range(STREAMS):
            clients.submit(read_stream, gateway.url, secret)
        wait_until(lambda: statuses() == ["open"] * STREAMS)
        wait_until(lambda: Attempt.objects.filter(completion_tokens__gt=0).count() == STREAMS)
        assert Spend.objects.filter(reserved__gt=0).exists()
        gateway.kill()

    gateway.start()

    wait_until(lambda: statuses() == ["interrupted"] * STREAMS, seconds=15)
    assert not Spend.objects.exclude(reserved=0).exists()
    assert not Spend.objects.exclude(spent=0).exists()
    assert Generation.objects.filter(usage_source="checkpoint").count() == STREAMS


def test_the_reaper_leaves_the_rows_of_a_living_worker_alone(gateway: Gateway, secret: str) -> None:
    with ThreadPoolExecutor(1) as clients:
        clients.submit(read_stream, gateway.url, secret)
        wait_until(lambda: statuses() == ["open"])

        ended = reap(silence_seconds=0.1)

        assert (ended, statuses()) == (0, ["open"])
        gateway.kill()
