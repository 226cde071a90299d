"""The plain ladder: what an order of the prompts is worth with nothing chosen at all."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from routing.engine.evaluation.curves import Curve, curve, mean_over_log_cost
from routing.engine.evaluation.policies import Table, points

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Order = Callable[[int, int], Floats]

# Rungs between two models: doubling them moves a gain by under 0.01 point.
RUNGS = 50


def ladder(table: Table, order: Order) -> float:
    """Walk up the static hull; return how much better it is than drawing lots, in points.

    Between each two neighbours of the hull (chosen on the calibration share) a growing share of
    the judged prompts goes to the stronger one, those first that `order(weak, strong)` scores
    highest. The result is the mean over log cost of the quality beyond the line between the two
    models, times 100. It is 0 for a random order, and negative for an order that is upside down.
    """
    static = table.static()
    walked = [
        _walk(table, (weak, strong), order(weak, strong))
        for weak, strong in pairwise(static.tolist())
    ]
    if not walked:
        return 0.0
    costs = np.concatenate([one.costs for one in walked])
    quality = np.concatenate([one.quality for one in walked])
    of_models = points(_alone(static, len(table.scores.rest)), table.costs.rest, table.scores.rest)
    over = table.range()
    above = mean_over_log_cost(curve(costs, quality), over)
    return 100 * (above - mean_over_log_cost(curve(*of_models), over))


def gain(success: Floats, weak: int, strong: int) -> Floats:
    """Return how much likelier the stronger model succeeds, (n,)."""
    difference: Floats = success[:, strong] - success[:, weak]
    return difference


def always(score: Floats) -> Order:
    """Order the prompts in the same way whatever the two models are."""
    return lambda _weak, _strong: score


def _walk(table: Table, pair: tuple[int, int], score: Floats) -> Curve:
    weak, strong = pair
    n = len(score)
    hardest = np.argsort(-score, kind="stable")
    place = np.empty(n, dtype=np.intp)
    place[hardest] = np.arange(n)
    cuts = np.round(np.linspace(0, n, RUNGS + 1))[:, None]
    picks = np.where(place < cuts, strong, weak)
    return curve(*points(picks, table.costs.rest, table.scores.rest))


def _alone(models: Ints, n: int) -> Ints:
    return np.repeat(models[:, None], n, axis=1)
