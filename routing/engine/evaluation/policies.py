"""Policies: which model a prompt goes to, chosen on one share of the prompts, judged on the rest.

A family is a set of policies, such as the router at every price of money. Its convex hull on the
calibration share says which of them to use; only those are judged, on the rest, at what they cost
there. Nothing is selected by what is seen on the rest, so a score that knows nothing gains nothing.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from routing.engine.evaluation.curves import Curve, Range, curve, hull
from routing.engine.selection import COST_SCALE_USD

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

# Prices of money, relative to the spread of g over the models: below and above these the router
# looks at quality alone and at cost alone.
PRICES = np.concatenate([[0.0], np.geomspace(1e-3, 1e3, 61)])

# How far a prediction of a prompt counts against the model's mean over all prompts: where the
# prompt says little of who succeeds, less is better, and at none of it the static hull is left.
TRUST = (0.0, 0.5, 1.0)

# Shares of the prompts that go to the stronger of two models.
SHARES = np.linspace(0.1, 0.9, 9)

# Costs closer than this are one cost: a model that a better one undercuts, or nearly, is of no use,
# and a range of costs is at least this wide. Mean costs of 140 prompts differ by 5 % between draws.
SAME_COST = 1.1

# A model that costs nothing stands at this share of the cheapest that costs anything, because a
# range of log cost cannot begin at 0.
FREE_SHARE = 0.1


class Family(NamedTuple):
    """Policies as picks: one model per prompt; (k, n) on the calibration share and on the rest."""

    calibration: Ints
    rest: Ints


class Pair(NamedTuple):
    """The same array for the prompts that calibrate and for those that judge."""

    calibration: Floats
    rest: Floats


@dataclass(frozen=True, slots=True)
class Table:
    """The grades and costs of one pool of models, (n, m) on either side."""

    scores: Pair
    costs: Pair

    @property
    def models(self) -> int:
        return int(self.scores.rest.shape[1])

    def static(self) -> Ints:
        """Return the single models on the convex hull of the calibration share, cheapest first.

        Without those that a better model costs no more than, give or take SAME_COST.
        """
        costs, scores = self.costs.calibration.mean(axis=0), self.scores.calibration.mean(axis=0)
        better = (scores[:, None] < scores) & (SAME_COST * costs[:, None] >= costs)
        useful = np.flatnonzero(~better.any(axis=1))
        return useful[hull(costs[useful], scores[useful])]

    def range(self) -> Range:
        """Return the costs, on the rest, of the cheapest and of the best single model.

        Both are the ends of the static hull of the calibration share: a model dearer than the
        best one is not useful.
        """
        static = self.static()
        costs = self.costs.rest.mean(axis=0)[static]
        low, high = float(costs.min()), float(costs.max())
        paid = costs[costs > 0]
        if low <= 0:
            low = FREE_SHARE * float(paid.min()) if paid.size else 1.0
        return Range(low, max(high, SAME_COST * low))

    def judge(self, family: Family) -> Curve:
        """Return the curve on the rest of the policies that form the hull of calibration.

        Always the cheapest useful model is a policy of every family (money at an infinite
        price), and one that is no better than that is not used.
        """
        cheapest, alone = self.static()[:1], singles(self)
        calibration = np.concatenate([alone.calibration[cheapest], family.calibration])
        rest = np.concatenate([alone.rest[cheapest], family.rest])
        costs, quality = points(calibration, self.costs.calibration, self.scores.calibration)
        better = np.flatnonzero(np.append(True, quality[1:] > quality[0]))
        chosen = better[hull(costs[better], quality[better])]
        return curve(*points(rest[chosen], self.costs.rest, self.scores.rest))


def points(picks: Ints, costs: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """Return mean cost and mean quality of each policy, (k,) each."""
    rows = np.arange(costs.shape[0])
    cost = np.array([costs[rows, pick].mean() for pick in picks])
    quality = np.array([scores[rows, pick].mean() for pick in picks])
    return cost, quality


def singles(table: Table) -> Family:
    """Every model, for all prompts alike."""
    models = np.arange(table.models, dtype=np.intp)[:, None]
    return Family(
        np.repeat(models, table.scores.calibration.shape[0], axis=1),
        np.repeat(models, table.scores.rest.shape[0], axis=1),
    )


def sweep(table: Table, success: Pair, costs: Pair) -> Family:
    """The router at every price of money: the most of P(success) - price * g(expected cost).

    At each degree of TRUST, since how much a prompt says of who succeeds is fitted too.
    """
    mean = table.scores.calibration.mean(axis=0)
    sides = (
        [swept(mean + trust * (likely - mean), weighed) for trust in TRUST]
        for likely, weighed in zip(success, costs, strict=True)
    )
    return Family(*map(np.concatenate, sides))


def swept(success: Floats, costs: Floats) -> Ints:
    """Pick per price and prompt, (k, n); ties go to the model that is cheaper on the whole."""
    weight = np.log1p(costs / COST_SCALE_USD)
    cheap_first = np.argsort(weight.mean(axis=0), kind="stable")
    success, weight = success[:, cheap_first], weight[:, cheap_first]
    spread = float(np.median(weight.max(axis=1) - weight.min(axis=1))) or 1.0
    best = [np.argmax(success - price / spread * weight, axis=1) for price in PRICES]
    picks: Ints = cheap_first[np.array(best)]
    return picks


def steps(table: Table, score: Pair) -> Family:
    """Between each two neighbours of the static hull: the prompts of highest score go up.

    Thresholds are quantiles of the score on the calibration share.
    """
    static = table.static()
    cuts = np.quantile(score.calibration, 1 - SHARES)
    sides = [
        np.array(
            [
                np.where(values > cut, strong, weak)
                for weak, strong in pairwise(static)
                for cut in cuts
            ],
            dtype=np.intp,
        ).reshape(-1, len(values))
        for values in score
    ]
    alone = singles(table)
    return Family(
        np.concatenate([alone.calibration[static], sides[0]]),
        np.concatenate([alone.rest[static], sides[1]]),
    )


def best_affordable(table: Table) -> Curve:
    """The best single model that each cost allows, without mixing: stairs below the hull.

    Which of two models is the better is read from the calibration share.
    """
    quality, costs = table.scores.calibration.mean(axis=0), table.costs.rest.mean(axis=0)
    cheap_first = np.lexsort((-quality, costs)).tolist()
    start = cheap_first.index(int(table.static()[0]))
    stairs = [cheap_first[start]]
    for model in cheap_first[start:]:
        if quality[model] > quality[stairs[-1]]:
            stairs.append(model)
    # A stair: the level before holds up to the very cost at which the next model can be paid.
    edges = np.repeat(costs[stairs], 2)[1:]
    edges[1::2] = np.nextafter(edges[1::2], 0)
    return Curve(edges, np.repeat(table.scores.rest.mean(axis=0)[stairs], 2)[:-1])


def oracle(table: Table) -> Curve:
    """The hull of choices that know every grade and cost beforehand: the bound of all policies."""
    scores, costs = table.scores.rest, table.costs.rest
    cost, quality = points(swept(scores, costs), costs, scores)
    best = hull(cost, quality)
    return curve(cost[best], quality[best])
