"""The choice: which candidate to call first at a given tradeoff, and in which order the rest.

A candidate scores quality - price_of_money[tradeoff] * g(cost). Turning the dial up never raises
the cost nor the predicted quality of the first candidate, in any pool. Let a be the first at
price of money l, and b the first at a higher m > l. Then

    q(a) - l g(a) >= q(b) - l g(b)   and   q(b) - m g(b) >= q(a) - m g(a);

added up, (m - l) (g(a) - g(b)) >= 0, so b costs no more; and with that the first line gives
q(a) - q(b) >= l (g(a) - g(b)) >= 0, so b is no better. It holds because g and the price of money
do not depend on the pool; normalising costs over the candidates would break it. Scores are whole
numbers: with floats the sums above hold only nearly, and "never" would mean "hardly ever".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, log1p

from routing.engine.predictor import Prediction

DEFAULT_TRADEOFF = 7
CHEAPEST = 10

# The documented names of five dial positions.
TIERS = {"low": 9, "medium": 7, "high": 5, "xhigh": 3, "max": 1}

# Below a cent costs count nearly in proportion, above it by their logarithm. Measured over
# tests/engine/prompts.py at a mean spend of 0.0026 USD: 1e-4 predicts a quality of .86, 1e-3 .90,
# 1e-2 .92; plain dollars .92 too, but they spend half as much again on the typical prompt.
COST_SCALE_USD = 1e-2

# Thousandths of quality that one unit of g is worth, at 0 to 9: over the same prompts each step
# divides the mean spend by 1.1 to 4, by 2.1 on average. README.md has the table.
PRICE_OF_MONEY = (0, 6, 20, 35, 55, 85, 125, 180, 400, 1000)

# Quality and g as whole numbers; prices above are in the ratio of the two units.
QUALITY_UNITS = 1_000_000_000
COST_UNITS = 1_000_000


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate's place in the order, with what put it there."""

    slug: str
    quality: float
    cost_usd: float
    score: float


def rank(predictions: Sequence[Prediction], tradeoff: int) -> list[Ranked]:
    """Order predictions from the one to call first to the last resort.

    At 0 quality decides alone, at 10 cost does (then quality); between them each scores
    quality - price_of_money[tradeoff] * g(cost). See the module's docstring for the proof that
    a higher dial never raises the cost nor the quality of the first.

    Units: cost in USD per request, at least 0; quality and score have none. At 10 the score is
    -g(cost), the limit's direction, because money has no finite price there.
    Ties: the cheaper first, then by slug.
    Raises ValueError for a tradeoff outside 0-10 or a cost that is negative or not finite.
    Source: scale and default, the Auto Router documentation; g and the price of money, README.md.
    """
    if not 0 <= tradeoff <= CHEAPEST:
        raise ValueError(f"Tradeoff is {tradeoff}; an integer from 0 to {CHEAPEST} is accepted.")
    ranked = sorted((_key(one, tradeoff), at) for at, one in enumerate(predictions))
    return [_ranked(predictions[at], key[0]) for key, at in ranked]


def _key(prediction: Prediction, tradeoff: int) -> tuple[int, float, int, str]:
    """Return what sorts first the prediction to call first: minus its score, cost, slug."""
    quality = round(prediction.quality * QUALITY_UNITS)
    weight = _weight_of_cost(prediction)
    if tradeoff == CHEAPEST:
        scaled = weight * (QUALITY_UNITS // COST_UNITS)
        return scaled, prediction.cost_usd, -quality, prediction.slug
    price = PRICE_OF_MONEY[tradeoff]
    return price * weight - quality, prediction.cost_usd, 0, prediction.slug


def _weight_of_cost(prediction: Prediction) -> int:
    """Return g(cost): nearly dollars for cheap requests, nearly log dollars for dear ones."""
    cost = prediction.cost_usd
    if not (isfinite(cost) and cost >= 0):
        raise ValueError(f"Cost of {prediction.slug} is {cost} USD; 0 or more is accepted.")
    return round(COST_UNITS * log1p(cost / COST_SCALE_USD))


def _ranked(prediction: Prediction, negated_score: int) -> Ranked:
    return Ranked(
        prediction.slug,
        prediction.quality,
        prediction.cost_usd,
        -negated_score / QUALITY_UNITS,
    )
