"""The choice: which candidate to call first at a given tradeoff, and in which order the rest.

A candidate scores w(quality) - price_of_money[tradeoff] * g(cost). Turning the dial up never raises
the cost nor the predicted quality of the first candidate, in any pool. Let a be the first at
price of money l, and b the first at a higher m > l. Then

    w(a) - l g(a) >= w(b) - l g(b)   and   w(b) - m g(b) >= w(a) - m g(a);

added up, (m - l) (g(a) - g(b)) >= 0, so b costs no more; and with that the first line gives
w(a) - w(b) >= l (g(a) - g(b)) >= 0, so b is no better: w grows with quality. It holds because w, g
and the price of money do not depend on the pool; normalising costs over the candidates would break
it. Scores are whole numbers: with floats the sums above hold only nearly, and "never" would mean
"hardly ever". Where g or w round to the same number, scores tie and the cheaper wins at every
position alike. At 10 cost is compared first: with g(b) <= g(a) and b not chosen at l, w(a) > w(b)
or they are the same candidate.

w is quality in steps, so that near-equals are equal and a typo does not turn them round, with a
thousandth of quality itself, so that at 0, where nothing else counts, the best is still the best.
"""

from itertools import repeat
from math import inf
from typing import NamedTuple

import numpy as np

from routing.engine.predictor import Floats, Predictions

DEFAULT_TRADEOFF = 7
CHEAPEST = 10

# The documented names of five dial positions.
TIERS = {"low": 9, "medium": 7, "high": 5, "xhigh": 3, "max": 1}

# Below a cent costs count nearly in proportion, above it by their logarithm. Measured over
# tests/engine/prompts.py at a mean spend of 0.0026 USD: 1e-4 predicts a quality of .86, 1e-3 .90,
# 1e-2 .92; plain dollars .92 too, but they spend half as much again on the typical prompt.
COST_SCALE_USD = 1e-2

# What one unit of g is worth at 0 to 9, in 1e-8 of quality. Over the same prompts each step divides
# the typical spend by 1.7 to 2.0 down to 7, and by 2.5 to 2.9 from there to 10 (FIGURES.md).
PRICE_OF_MONEY = (
    *(0, 23, 96, 1_030, 7_270, 2_100_000),
    *(6_420_000, 17_000_000, 48_000_000, 102_000_000),
)

# The steps of quality, and the parts of w that they and quality itself make up.
QUALITY_STEP = 0.02
STEPS_PARTS, PARTS = 999, 1000

# Scores are whole numbers of 1e-13, g of 1e-5: prices above are in the ratio of the two.
SCORE_UNITS = 10**13
COST_UNITS = 10**5
STEP = round(QUALITY_STEP * SCORE_UNITS * STEPS_PARTS / PARTS)
WITHIN_STEP = SCORE_UNITS // PARTS

# The score at 10 is -g(cost), in the unit of the others.
AT_TEN = SCORE_UNITS // COST_UNITS


class Ranked(NamedTuple):
    """A candidate's place in the order, with what put it there, and its quality's 80 % interval."""

    slug: str
    quality: float
    cost_usd: float
    score: float
    low: float
    high: float


def rank(predictions: Predictions, tradeoff: int) -> list[Ranked]:
    """Order candidates from the one to call first to the last resort.

    At 0 quality decides alone, at 10 cost does (then quality); between them each scores
    w(quality) - price_of_money[tradeoff] * g(cost). See the module's docstring for the proof that
    a higher dial never raises the cost nor the quality of the first.

    Units: cost in USD per request, at least 0; quality and score have none. At 10 the score is
    -g(cost), the limit's direction, because money has no finite price there.
    Ties: the cheaper first, then the better, then by slug, as predictions are ordered.
    Raises ValueError for a tradeoff outside 0-10 or a cost that is negative or not finite.
    Source: scale and default, the Auto Router documentation; g and the price of money, FIGURES.md.
    """
    if not 0 <= tradeoff <= CHEAPEST:
        raise ValueError(f"Tradeoff is {tradeoff}; an integer from 0 to {CHEAPEST} is accepted.")
    slugs, quality, low, high, cost = predictions
    _check(predictions)
    # Whole numbers are exact in float64 up to 2^53; a cost of a million USD comes to 2^48.
    weights = np.rint(COST_UNITS * np.log1p(cost / COST_SCALE_USD))
    if tradeoff == CHEAPEST:
        # Not the negative of it: a free model's score would be shown as -0.
        scores = 0.0 - weights * AT_TEN
    else:
        scores = _worth(quality) - weights * PRICE_OF_MONEY[tradeoff]
    order = np.lexsort((-quality, cost, -scores))
    columns = np.array((quality, cost, scores / SCORE_UNITS, low, high)).take(order, axis=1)
    ranked = zip([slugs[at] for at in order.tolist()], *columns.tolist(), strict=True)
    # The constructor of a NamedTuple is a call of Python: 5 us more for 30.
    return list(map(tuple.__new__, repeat(Ranked), ranked))


def _check(predictions: Predictions) -> None:
    """Raises ValueError for a cost that is none."""
    costs = predictions.cost_usd.tolist()
    # One check for all: a sum with nan in it is not less than anything.
    if costs and not (min(costs) >= 0 and sum(costs) < inf):
        for slug, cost in zip(predictions.slugs, costs, strict=True):
            if not 0 <= cost < inf:
                raise ValueError(f"Cost of {slug} is {cost} USD; 0 or more is accepted.")


def _worth(quality: Floats) -> Floats:
    """Return w(quality) in SCORE_UNITS."""
    worth: Floats = STEP * np.rint(quality / QUALITY_STEP) + np.rint(quality * WITHIN_STEP)
    return worth
