import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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
    wanted = {name: outcome for name, (_, outcome, _) in TRICKLES.items()}
    most = {name: seconds for name, (_, _, seconds) in TRICKLES.items()}

    with ThreadPoolExecutor(len(TRICKLES)) as clients:
        requests = [raw.replace(b"@KEY@", secret) for raw, _, _ in TRICKLES.values()]
        ended = list(clients.map(lambda raw: trickle(gateway.port, raw), requests))

    outcomes = [outcome for outcome, _ in ended]
    assert dict(zip(wanted, outcomes, strict=True)) == wanted
    slow = {name: took for name, (_, took) in zip(wanted, ended, strict=True) if took > most[name]}
    assert slow == {}


@pytest.mark.parametrize("name", FLOODS)
def test_a_large_upload_of_a_stranger_stays_in_neither_memory_nor_disk(
    gateway: Gateway, tmp_path: Path, name: str
) -> None:
    head, wanted = FLOODS[name]
    worker = gateway.workers()[0]
    before = worker.memory_kb()

    outcome, sent = flood(gateway.port, head, 400_000_000)

    assert outcome == wanted
    assert sent < 40_000_000
    assert worker.peak_memory_kb() - before < 24_000
    assert os.listdir(tmp_path / "temporary") == []  # noqa: PTH208 - names alone
