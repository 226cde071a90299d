import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from autorouter_site.first_start import collect_static
from autorouter_site.settings import STORAGES
from tests.factories import make_offer, make_secret
from tests.faults.gateway import Gateway, running_gateway
from tests.faults.mutations import ask, make_request
from tests.faults.processes import FaultyUpstream

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

# A worker reaches its size after some 8,000 requests; before, it may grow by more.
LONG = os.environ.get("LONG") == "1"
WARM_UP, REQUESTS, MOST_GROWTH = (8_000, 20_000, 1.1) if LONG else (800, 1_200, 1.4)
CLIENTS = 24


@pytest.fixture
def secret(transactional_db: None) -> str:
    return make_secret()[1]


@pytest.fixture
def gateway(
    secret: str, upstream: FaultyUpstream, settings: Any, tmp_path: Path
) -> Iterator[Gateway]:
    address = f"127.0.0.1:{upstream.port}"
    settings.AUTOROUTER_PRIVATE_UPSTREAMS = [address]
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STORAGES = STORAGES
    collect_static()
    make_offer("faulty/ok", upstream_model="faulty/ok", at={"base_url": upstream.base_url})
    with running_gateway(tmp_path, address, workers=2) as running:
        yield running


def ask_all(gateway: Gateway, secret: str, seeds: range) -> Counter[str]:
    """How often each status was answered."""
    with ThreadPoolExecutor(CLIENTS) as clients:
        requests = (make_request(seed, secret) for seed in seeds)
        answers = clients.map(partial(ask, gateway.port), requests)
        return Counter(status for answer in answers for status in answer)


def test_no_mutated_request_breaks_a_worker(gateway: Gateway, secret: str, tmp_path: Path) -> None:
    ask_all(gateway, secret, range(WARM_UP))
    workers = gateway.workers()
    before = [worker.memory_kb() for worker in workers]

    found = ask_all(gateway, secret, range(WARM_UP, WARM_UP + REQUESTS))

    assert [status for status in found if status.startswith("5")] == [], found
    assert {"200", "400", "401", "404", "405"} <= found.keys()
    assert sum(found.values()) > REQUESTS * 0.9
    assert gateway.workers() == workers
    after = [worker.memory_kb() for worker in workers]
    assert all(now <= was * MOST_GROWTH for was, now in zip(before, after, strict=True)), (
        before,
        after,
    )
    assert '"level": "ERROR"' not in (tmp_path / "gateway.log").read_text()
