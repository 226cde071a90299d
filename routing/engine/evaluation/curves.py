"""Curves of quality over cost: the convex hull of policies, and the area under a curve."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

# Points of a curve that an area is summed over: doubling them moves an area by under 1e-6.
GRID = 2001


@dataclass(frozen=True, slots=True)
class Curve:
    """Quality by mean cost: straight between points, because two policies can be mixed by lot.

    Shapes: costs and quality (k,), costs ascending. Left of the first point and right of the last
    the quality is that of the point: money that buys nothing is not spent.
    """

    costs: Floats
    quality: Floats

    def at(self, costs: Floats) -> Floats:
        """Return the quality at each mean cost."""
        return np.interp(costs, self.costs, self.quality)


@dataclass(frozen=True, slots=True)
class Range:
    """The mean costs that curves are compared over, USD per prompt."""

    low: float
    high: float

    def linear(self) -> Floats:
        return np.linspace(self.low, self.high, GRID)

    def log(self) -> Floats:
        return np.geomspace(self.low, self.high, GRID)


def curve(costs: Floats, quality: Floats) -> Curve:
    """Put points in order of cost."""
    order = np.lexsort((quality, costs))
    return Curve(costs[order], quality[order])


def mean_over_cost(of: Curve, costs: Range) -> float:
    """Return the mean quality over equal steps of cost (AIQ of RouterBench, arXiv 2403.12031)."""
    return _mean(of.at(costs.linear()))


def mean_over_log_cost(of: Curve, costs: Range) -> float:
    """Return the mean quality over equal steps of log cost, which treats every halving alike."""
    return _mean(of.at(costs.log()))


def cost_to_reach(of: Curve, quality: float, costs: Range) -> float | None:
    """Return the lowest mean cost of the range with this quality, or nothing if there is none."""
    grid = costs.log()
    enough = np.flatnonzero(of.at(grid) >= quality)
    return float(grid[enough[0]]) if enough.size else None


def hull(costs: Floats, quality: Floats) -> Ints:
    """Return the points of the upper convex hull from the cheapest to the best, in that order.

    What lies on or under the line between two others, or costs more than a better one, is left
    out; so the hull rises and is concave. Equal points: the first.
    """
    kept: list[int] = []
    for point in np.lexsort((-quality, costs)).tolist():
        if kept and quality[point] <= quality[kept[-1]]:
            continue
        while len(kept) > 1 and not _turns_right(costs, quality, (*kept[-2:], point)):
            kept.pop()
        kept.append(point)
    return np.array(kept, dtype=np.intp)


def _turns_right(costs: Floats, quality: Floats, points: tuple[int, ...]) -> bool:
    first, middle, last = points
    before = (quality[middle] - quality[first]) * (costs[last] - costs[middle])
    after = (quality[last] - quality[middle]) * (costs[middle] - costs[first])
    return bool(before > after)


def _mean(values: Floats) -> float:
    """Average by the trapezium rule over equal steps."""
    return float((values[:-1] + values[1:]).mean() / 2)
