"""What a selection of requests cost, model by model and over time: what stands above their list."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

from activity.paging import EPOCH
from activity.periods import period_ends

# Bars of months, of which all time may have one.
LEAST_BARS, MOST_BARS = 12, 36
# Models with a line and a colour of their own; the rest share one.
MOST_MODELS = 8

# Units of the chart: a bar with the gap to the next one, and the highest bar.
BAR_WIDTH, HEIGHT = 10, 100

NOTHING = {"requests": 0, "spend": Decimal(0), "prompt": 0, "completion": 0, "errors": 0}


@dataclass(frozen=True, slots=True)
class Line:
    """What one model took, or all that have no line of their own; series numbers its colour."""

    series: int
    models: Sequence[str]
    sums: dict[str, Any]
    share: str

    @property
    def name(self) -> str:
        return self.models[0] if len(self.models) == 1 else f"{len(self.models)} others"

    @property
    def tokens(self) -> int:
        return self.sums["prompt"] + self.sums["completion"]


@dataclass(frozen=True, slots=True)
class Part:
    """What a line has of a bar, from y down, in units of the chart."""

    line: Line
    spend: Decimal
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A step of time with what was spent in it, at x in the chart."""

    began: datetime
    ended: datetime
    sums: dict[str, Any]
    x: int
    parts: Sequence[Part]


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The totals of a selection, a line a model, the dearest first, and a bar a step of time."""

    totals: dict[str, Any]
    lines: Sequence[Line]
    bars: Sequence[Bar]

    @property
    def is_cut(self) -> bool:
        """Whether there is more than the bars show."""
        return sum(bar.sums["requests"] for bar in self.bars) < self.totals["requests"]

    @property
    def width(self) -> int:
        return len(self.bars) * BAR_WIDTH

    @property
    def highest(self) -> Decimal:
        return max(bar.sums["spend"] for bar in self.bars)


def break_down(
    rows: Sequence[dict[str, Any]], step: timedelta | None, since: datetime | None, now: datetime
) -> Breakdown:
    """Add up the sums of each model and step of time, from since, or the first, until now."""
    totals = _sum(rows)
    of_model = {model: _sum(own) for model, own in _grouped(rows, "routed_model").items()}
    models = sorted(of_model, key=lambda model: (-of_model[model]["spend"], model))
    own = models if len(models) <= MOST_MODELS + 1 else models[:MOST_MODELS]
    shown = [[model] for model in own] + ([models[len(own) :]] if len(own) < len(models) else [])
    lines = [
        _line(at, names, [of_model[name] for name in names], totals)
        for at, names in enumerate(shown)
    ]
    first = since or min((row["began"] for row in rows), default=now)
    line_of = {model: line for line in lines for model in line.models}
    return Breakdown(totals, lines, _bars(rows, line_of, _steps(step, first, now)))


def _sum(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    chosen = list(rows)
    return {name: sum((row[name] for row in chosen), zero) for name, zero in NOTHING.items()}


def _grouped(rows: Iterable[dict[str, Any]], name: str) -> dict[Any, list[dict[str, Any]]]:
    found: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row[name], []).append(row)
    return found


def _line(
    series: int, models: Sequence[str], sums: Sequence[dict[str, Any]], totals: dict[str, Any]
) -> Line:
    own = _sum(sums)
    share = own["spend"] / totals["spend"] if totals["spend"] else Decimal(0)
    return Line(series, models, own, f"{share:.1%}")


def _steps(step: timedelta | None, first: datetime, now: datetime) -> list[datetime]:
    """When each step from the first moment began, the newest MOST_BARS, and when the last ends."""
    if step is None:
        found = [period_ends(now)["monthly"], _month(now)]
    else:
        began = EPOCH + (now - EPOCH) // step * step
        found = [began + step, began]
    while len(found) <= (MOST_BARS if found[-1] > first else LEAST_BARS):
        found.append(found[-1] - step if step else _month(found[-1] - timedelta(days=1)))
    return found[::-1]


def _month(moment: datetime) -> datetime:
    return moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _bars(
    rows: Sequence[dict[str, Any]], line_of: dict[str, Line], steps: Sequence[datetime]
) -> list[Bar]:
    held = _grouped(rows, "began")
    sums = [_sum(held.get(began, ())) for began in steps[:-1]]
    highest = max(one["spend"] for one in sums) or Decimal(1)
    return [
        Bar(began, ended, one, at * BAR_WIDTH, _parts(held.get(began, ()), line_of, highest))
        for at, (began, ended, one) in enumerate(zip(steps[:-1], steps[1:], sums, strict=True))
    ]


def _parts(
    rows: Sequence[dict[str, Any]], line_of: dict[str, Line], highest: Decimal
) -> list[Part]:
    """The pieces of a bar, that of the first line lowest."""
    ordered = sorted(rows, key=lambda row: line_of[row["routed_model"]].series)
    parts, top = [], float(HEIGHT)
    for line, own in groupby(ordered, key=lambda row: line_of[row["routed_model"]]):
        spent = sum((row["spend"] for row in own), Decimal(0))
        height = float(spent / highest) * HEIGHT
        top -= height
        parts.append(Part(line, spent, top, height))
    return parts
