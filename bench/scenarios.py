"""What is measured, each target after the other, several rounds."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bench.machine import cpu_seconds
from bench.traffic import Load, Pace, Target, Traffic

# What LiteLLM cannot keep up with says nothing, and its backlog would disturb what follows.
LITELLM_MOST_A_SECOND = 50
IDLE_SHARE = 0.1
IDLE_WAIT_SECONDS = 30.0
JSON_CONNECTIONS = (1, 16, 64, 256)
RATES = (25, 50, 200, 500, 1000)
EVENTS = 19
STREAM_TOKENS = 100
# 50 tokens a second.
TOKEN_MS = 20
FIRST_MS = 50


@dataclass(frozen=True)
class Scenario:
    """One load at one pace of the upstream."""

    group: str
    name: str
    load: Load
    pace: Pace = field(default_factory=Pace)

    def is_for(self, target: Target) -> bool:
        return target.name != "litellm" or self.load.rate <= LITELLM_MOST_A_SECOND


@dataclass(frozen=True)
class Measurement:
    """What one round counted; CPU is that of the server's and the database's processes."""

    scenario: Scenario
    target: str
    counted: dict[str, Any]
    cpu_ms: float
    database_cpu_ms: float
    cores: float


def scenarios(*, quick: bool) -> list[Scenario]:
    return [*_json(quick=quick), *_open_loop(quick=quick), *_streams(quick=quick)]


def check_scenarios() -> list[Scenario]:
    """The two that the check of CPU per request is made on."""
    return [_of_json(64, 0, 3.0), _of_short_streams(16, 3.0)]


def _json(*, quick: bool) -> Iterator[Scenario]:
    for delay_ms in (0, 50):
        for connections in JSON_CONNECTIONS:
            if not quick or connections in (1, 64):
                yield _of_json(connections, delay_ms, 2.5 if quick else 5.0)


def _of_json(connections: int, delay_ms: float, seconds: float) -> Scenario:
    return Scenario(
        group="json",
        name=f"JSON, {delay_ms:.0f} ms upstream, c={connections}",
        load=Load(connections, seconds=seconds, warm_seconds=1.5),
        pace=Pace(first_ms=delay_ms),
    )


def _open_loop(*, quick: bool) -> Iterator[Scenario]:
    for rate in (50, 200) if quick else RATES:
        yield Scenario(
            group="open loop",
            name=f"JSON, 50 ms upstream, {rate}/s",
            load=Load(256, rate=rate, seconds=3.0 if quick else 6.0),
            pace=Pace(first_ms=50),
        )


def _streams(*, quick: bool) -> Iterator[Scenario]:
    for connections in (16,) if quick else (1, 16):
        yield _of_short_streams(connections, 2.5 if quick else 5.0)
    for streams in (200,) if quick else (200, 1000):
        yield Scenario(
            group="long streams",
            name=f"{streams} streams of 50 tokens/s",
            load=Load(
                streams,
                stream=True,
                seconds=4.0 if quick else 10.0,
                warm_seconds=4.0,
                ramp_seconds=2.0,
            ),
            pace=Pace(FIRST_MS, TOKEN_MS, STREAM_TOKENS),
        )


def _of_short_streams(connections: int, seconds: float) -> Scenario:
    return Scenario(
        group="streams",
        name=f"{EVENTS}-event streams, c={connections}",
        load=Load(connections, stream=True, seconds=seconds),
    )


def pinned(scenario: Scenario) -> Scenario:
    """The same as one conversation: pinned to its model from its first answer on."""
    load = replace(scenario.load, session="bench")
    return replace(scenario, load=load, name=f"{scenario.name}, pinned")


def measure(
    traffic: Traffic, targets: Sequence[Target], scenario: Scenario, database_pid: int
) -> Iterable[Measurement]:
    """One round: each target in turn, when the one before it has come to rest."""
    traffic.pace(scenario.pace)
    for target in targets:
        if scenario.is_for(target):
            yield _measure_one(traffic, target, scenario, database_pid)
            wait_until_idle(target)


def _measure_one(
    traffic: Traffic, target: Target, scenario: Scenario, database_pid: int
) -> Measurement:
    wait_until_idle(target)
    server, database = cpu_seconds(target.processes), cpu_seconds([database_pid])
    began = time.monotonic()
    counted = traffic.send(target, scenario.load)
    seconds = time.monotonic() - began
    server = cpu_seconds(target.processes) - server
    database = cpu_seconds([database_pid]) - database
    # What is under way at the end counts half: on average that much of it is done.
    answered = counted["total"] + counted["open_end"] / 2
    return Measurement(
        scenario=scenario,
        target=target.name,
        counted=counted,
        cpu_ms=1000 * server / answered if answered else 0,
        database_cpu_ms=1000 * database / answered if answered else 0,
        cores=server / seconds,
    )


def wait_until_idle(target: Target) -> None:
    """Let a server finish what clients left behind, which LiteLLM does for seconds."""
    deadline = time.monotonic() + IDLE_WAIT_SECONDS
    while target.processes and time.monotonic() < deadline:
        before = cpu_seconds(target.processes)
        time.sleep(0.3)
        if cpu_seconds(target.processes) - before < 0.3 * IDLE_SHARE:
            return
