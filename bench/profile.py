"""Where the CPU of one request goes inside the server, stage by stage.

Run with `python -m bench.profile`; README.md says how it looks.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import httpx

from bench import machine, peers, product
from bench.processes import ROOT
from bench.scenarios import check_scenarios, measure
from bench.stages import stage_of
from bench.traffic import Target, Traffic

APPLICATION = "bench.sampler:application"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "bench")
    parser.add_argument("--port", type=int, default=47000, help="the first of two ports")
    parser.add_argument("--frames", type=int, default=0, help="also the hottest functions, so many")
    arguments = parser.parse_args()
    folder: Path = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    _, server_core = machine.take_cores()
    machine.compile_programs(folder)
    with ExitStack() as stack:
        stack.enter_context(peers.fake_upstream(folder, arguments.port))
        ours = stack.enter_context(
            product.prepared(folder, arguments.port, arguments.port + 1, server_core)
        )
        for number, scenario in enumerate(check_scenarios()):
            samples = folder / f"samples-{number}.json"
            more = {"BENCH_SAMPLES": str(samples)}
            with product.serving(ours, APPLICATION, **more) as target:
                traffic = Traffic(folder, arguments.port)
                list(measure(traffic, [target], scenario, ours.database_pid))
                _tell(target, "start")
                (measured,) = measure(traffic, [target], scenario, ours.database_pid)
                _tell(target, "stop")
            _report(scenario.name, measured.cpu_ms, json.loads(samples.read_text()))
            _report_frames(json.loads(samples.read_text()), arguments.frames)


def _tell(target: Target, what: str) -> None:
    url = f"http://127.0.0.1:{target.port}/__samples?{what}"
    httpx.get(url, timeout=30, trust_env=False).raise_for_status()


def _report(name: str, cpu_ms: float, samples: Iterable[list[str]]) -> None:
    stages: Counter[str] = Counter()
    for count, *stack in samples:
        stages[stage_of(stack, str(ROOT))] += int(count)
    total = stages.total()
    print(f"\n{name}: {cpu_ms:.3f} ms of CPU a request, {total:,} samples")
    for stage, count in sorted(stages.items(), key=lambda item: -item[1]):
        print(f"  {stage:<52}{cpu_ms * count / total:8.3f} ms{count / total:7.1%}")


def _report_frames(samples: Iterable[list[str]], most: int) -> None:
    """The functions that were running themselves, most often first."""
    frames: Counter[str] = Counter()
    for count, *stack in samples:
        frames["/".join(stack[0].split("/")[-3:])] += int(count)
    for frame, count in frames.most_common(most):
        print(f"  {count / frames.total():7.1%}  {frame}")


if __name__ == "__main__":
    main()
