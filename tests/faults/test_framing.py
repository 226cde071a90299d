import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from activity.models import Generation
from tests.factories import make_offer, make_secret
from tests.faults import framing
from tests.faults.gateway import Gateway, running_gateway
from tests.faults.processes import FaultyUpstream
from tests.faults.senders import FLOODS, TRICKLES, flood, trickle

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


LONG = os.environ.get("LONG") == "1"
SIZE = 400_000_000


@pytest.fixture
def secret(transactional_db: None) -> bytes:
    return make_secret()[1].encode()


@pytest.fixture
def gateway(
    secret: bytes,
    upstream: FaultyUpstream,
    settings: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Gateway]:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    address = f"127.0.0.1:{upstream.port}"
    settings.AUTOROUTER_PRIVATE_UPSTREAMS = [address]
    make_offer("faulty/ok", upstream_model="faulty/ok", at={"base_url": upstream.base_url})
    with running_gateway(tmp_path, address) as running:
        yield running


def test_every_framing_is_answered_as_wanted_or_once_and_closed(
    gateway: Gateway, secret: bytes, tmp_path: Path
) -> None:
    wanted = {name: outcome for name, (_, outcome) in framing.CORPUS.items()}
    requests = [raw.replace(b"@KEY@", secret) for raw, _ in framing.CORPUS.values()]

    with ThreadPoolExecutor(16) as clients:
        outcomes = list(clients.map(lambda raw: framing.outcome(gateway.port, raw), requests))

    assert dict(zip(wanted, outcomes, strict=True)) == wanted
    asked = [raw for raw in requests if b"POST" in raw]
    completed = [
        name
        for name, raw in zip(wanted, requests, strict=True)
        if raw in asked and wanted[name].startswith(("200", "100"))
    ]
    assert Generation.objects.count() == len(completed)
    assert "Traceback" not in (tmp_path / "gateway.log").read_text()


def test_who_sends_a_byte_a_second_is_cut_off_in_time(gateway: Gateway, secret: bytes) -> None:
    trickles = {name: wanted for name, wanted in TRICKLES.items() if LONG or wanted.seconds < 12}

    with ThreadPoolExecutor(len(trickles)) as clients:
        heads = [wanted.head.replace(b"@KEY@", secret) for wanted in trickles.values()]
        ended = dict(zip(trickles, clients.map(partial(trickle, gateway.port), heads), strict=True))

    assert {name: outcome for name, (outcome, _) in ended.items()} == {
        name: wanted.outcome for name, wanted in trickles.items()
    }
    assert [name for name, (_, took) in ended.items() if took > trickles[name].seconds] == []


def test_four_hundred_megabytes_of_a_stranger_stay_in_neither_memory_nor_disk(
    gateway: Gateway, tmp_path: Path
) -> None:
    worker = gateway.workers()[0]
    before = worker.memory_kb()

    ended = {name: flood(gateway.port, head, SIZE) for name, (head, _) in FLOODS.items()}

    assert {name: outcome for name, (outcome, _) in ended.items()} == {
        name: outcome for name, (_, outcome) in FLOODS.items()
    }
    assert max(taken for _, taken in ended.values()) < SIZE / 10
    assert worker.peak_memory_kb() - before < 40_000
    assert list((tmp_path / "temporary").iterdir()) == []
