"""The check of CPU: a request must not cost much more than when reference.json was recorded.

Milliseconds differ from machine to machine and from hour to hour, so what is compared is how many
times the CPU of the bare proxy (reference_app.py) a request takes, both measured in this run.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.scenarios import Measurement

REFERENCE = Path(__file__).with_name("reference.json")
MOST_GROWTH = 1.25


@dataclass(frozen=True)
class Verdict:
    """One scenario's CPU per request, as multiples of the bare proxy's."""

    scenario: str
    cpu_ms: float
    reference_cpu_ms: float
    recorded: float | None

    @property
    def ratio(self) -> float:
        return self.cpu_ms / self.reference_cpu_ms

    @property
    def is_regression(self) -> bool:
        return self.recorded is not None and self.ratio > MOST_GROWTH * self.recorded

    def __str__(self) -> str:
        text = (
            f"{self.scenario}: {self.cpu_ms:.3f} ms of CPU a request, {self.ratio:.2f} x the bare "
            f"proxy's {self.reference_cpu_ms:.3f} ms"
        )
        if self.recorded is None:
            return f"{text}; nothing recorded"
        growth = f"{self.ratio / self.recorded - 1:+.0%}"
        state = "REGRESSION" if self.is_regression else "fine"
        return f"{text}; recorded {self.recorded:.2f} x, {growth}: {state}"


def verdicts(measured: Iterable[Measurement]) -> list[Verdict]:
    """Compare the least that each took in any round: noise of other processes only adds."""
    least: dict[str, dict[str, float]] = {}
    for one in measured:
        of_scenario = least.setdefault(one.scenario.name, {})
        of_scenario[one.target] = min(one.cpu_ms, of_scenario.get(one.target, one.cpu_ms))
    recorded = json.loads(REFERENCE.read_text())["ratios"] if REFERENCE.exists() else {}
    return [
        Verdict(name, of["auto router"], of["reference"], recorded.get(name))
        for name, of in least.items()
        if of.get("reference") and of.get("auto router")
    ]


def record(found: Iterable[Verdict], machine: dict[str, Any]) -> None:
    """Make what was measured now what later runs are held against."""
    content = {
        "what": "CPU per request of Auto Router, as multiples of bench/reference_app.py's",
        "recorded": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine,
        "ratios": {one.scenario: round(one.ratio, 3) for one in found},
    }
    REFERENCE.write_text(json.dumps(content, indent=2) + "\n")
