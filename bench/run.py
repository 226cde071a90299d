"""One run: starts everything, measures in turns, ends everything."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import check, database, machine, memory, peers, product
from bench.memory import IdleMemory
from bench.scenarios import Measurement, Scenario, check_scenarios, measure, pinned, scenarios
from bench.traffic import Load, Pace, Target, Traffic

BEGAN = time.monotonic()
ROWS = (10_000, 1_000_000)
PAGES = {"Activity, 7 days": "/activity", "Activity, all time": "/activity?period=all"}


@dataclass(frozen=True)
class Options:
    """What to run and where."""

    folder: Path
    litellm: Path
    first_port: int
    quick: bool
    check_only: bool
    slower_ms: float

    @property
    def rounds(self) -> int:
        return 1 if self.quick else 2


@dataclass
class Results:
    """All that a run found out."""

    machine: dict[str, str] = field(default_factory=dict)
    commits: list[database.CommitTime] = field(default_factory=list)
    measured: list[Measurement] = field(default_factory=list)
    checked: list[Measurement] = field(default_factory=list)
    memory: list[IdleMemory] = field(default_factory=list)
    # Rows of history, what was measured, and the numbers of the load generator.
    history: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list)
    candidates: int = 0


class Run:
    """The servers of a run, and what it does with them."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.results = Results()
        self.load_core, self.server_core = machine.take_cores()
        options.folder.mkdir(parents=True, exist_ok=True)
        machine.compile_programs(options.folder)
        self.traffic = Traffic(options.folder, options.first_port)

    def all(self) -> Results:
        options = self.options
        self.results.machine = machine.describe()
        with ExitStack() as stack:
            _say("starting the upstream and the database")
            direct = stack.enter_context(peers.fake_upstream(options.folder, options.first_port))
            ours = stack.enter_context(
                product.prepared(
                    options.folder, options.first_port, options.first_port + 1, self.server_core
                )
            )
            self.results.commits.append(database.commit_time(self.server_core))
            if not options.check_only:
                self._memory(ours)
                self._compare(ours, direct)
                self._history(ours)
            self._check(ours)
        return self.results

    def _memory(self, ours: product.Product) -> None:
        _say(f"memory of {memory.STREAMS} idle streams")
        with self._serving(ours) as target:
            self.results.memory.append(memory.measure_memory(self.traffic, target))
        if self._has_litellm() and not self.options.quick:
            with self._litellm() as target:
                self.results.memory.append(memory.measure_memory(self.traffic, target))

    def _compare(self, ours: product.Product, direct: Target) -> None:
        with ExitStack() as stack:
            targets = [direct, stack.enter_context(self._serving(ours))]
            if self._has_litellm():
                targets.append(stack.enter_context(self._litellm()))
            for number in range(self.options.rounds):
                self._round(number + 1, targets, ours.database_pid)
            self.results.candidates = product.candidates()

    def _round(self, number: int, targets: list[Target], database_pid: int) -> None:
        for scenario in scenarios(quick=self.options.quick):
            _say(f"round {number}: {scenario.name}")
            self._measure(targets, scenario, database_pid)
            if scenario.group == "json" and scenario.load.connections == 1:
                self.results.commits.append(database.commit_time(self.server_core))
            if scenario.group == "json" and scenario.load.connections == 64:
                self._measure(targets[1:2], pinned(scenario), database_pid)

    def _measure(self, targets: list[Target], scenario: Scenario, database_pid: int) -> None:
        self.results.measured += measure(self.traffic, targets, scenario, database_pid)

    def _history(self, ours: product.Product) -> None:
        seconds = 3.0 if self.options.quick else 6.0
        self.traffic.pace(Pace())
        with self._serving(ours) as target:
            database.empty_history()
            for rows in ROWS[:1] if self.options.quick else ROWS:
                _say(f"{rows:,} rows of history")
                database.grow_history(rows)
                for connections in (1, 64):
                    counted = self.traffic.send(target, Load(connections, seconds=seconds))
                    self.results.history.append((rows, f"JSON, c={connections}", counted))
                signed_in = Target(
                    target.name,
                    target.port,
                    headers=(f"cookie: sessionid={ours.account.session}",),
                )
                for name, path in PAGES.items():
                    counted = self.traffic.get(signed_in, path, seconds)
                    self.results.history.append((rows, name, counted))

    def _check(self, ours: product.Product) -> None:
        port = self.options.first_port + 3
        with (
            self._serving(ours) as target,
            peers.reference(
                self.options.folder, self.options.first_port, port, self.server_core
            ) as reference,
        ):
            for number in range(3):
                for scenario in check_scenarios():
                    _say(f"check {number + 1}: {scenario.name}")
                    self.results.checked += measure(
                        self.traffic, [target, reference], scenario, ours.database_pid
                    )

    @contextmanager
    def _serving(self, ours: product.Product) -> Iterator[Target]:
        application, more = product.APPLICATION, {}
        if self.options.slower_ms:
            application = "bench.slowed_app:application"
            more = {"BENCH_SLOWER_MS": str(self.options.slower_ms)}
        with product.serving(ours, application, **more) as target:
            yield target

    def _has_litellm(self) -> bool:
        version = peers.litellm_version(self.options.litellm)
        self.results.machine["litellm"] = version or "not installed: make bench-litellm"
        return bool(version)

    def _litellm(self) -> Any:
        options = self.options
        port = options.first_port + 2
        return peers.litellm(
            options.litellm, options.folder, options.first_port, port, self.server_core
        )


def _say(what: str) -> None:
    print(f"  {time.monotonic() - BEGAN:4.0f} s  {what}", flush=True)


def write_json(results: Results, verdicts: list[check.Verdict], path: Path) -> None:
    """Everything that was counted, for a program to read."""
    content = {
        "machine": results.machine,
        "candidates": results.candidates,
        "commits_ms": [vars(one) for one in results.commits],
        "memory": [vars(one) | {"kilobytes_each": one.kilobytes_each} for one in results.memory],
        "measured": [_plain(one) for one in [*results.measured, *results.checked]],
        "history": [
            {"rows": rows, "what": what, **counted} for rows, what, counted in results.history
        ],
        "check": [vars(one) | {"ratio": one.ratio} for one in verdicts],
    }
    path.write_text(json.dumps(content, indent=1) + "\n")


def _plain(one: Measurement) -> dict[str, Any]:
    return {**vars(one), "scenario": one.scenario.name, "group": one.scenario.group}
