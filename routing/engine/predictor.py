"""How likely each candidate is to succeed with a conversation, and what that would cost."""

import csv
from collections.abc import Sequence
from functools import lru_cache
from math import exp, log
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from routing.engine.analysis import EASIEST, HARDEST, Analysis
from routing.engine.tasks import GROUP_OF, TASKS

# One logit of difficulty costs one logit of success: the axis is defined so (see analysis).
SLOPE = 1.0

# An average model on a typical request: MMLU-Pro, the least exotic of LLMRouterBench's ten
# benchmarks, is solved by its 13 models of 2025 at 82 % on average, logit 1.5.
OFFSET = 1.5

# P(success) is told apart to one in so many, which decides at 0; selection.py takes it in steps.
QUALITIES = 10_000

# What is predicted from is rounded: difficulty to a fifth of its range, tokens to a factor of 1.4,
# the posterior to fifths. With the steps of quality in selection.py, that was the choice of twelve
# that kept most picks at 7 over a typo (FIGURES.md) at the same spend; tenths kept two points less.
DIFFICULTY_STEP = (HARDEST - EASIEST) / 5
LOG_TOKENS_STEP = 0.36
POSTERIOR_STEP = 0.2

# Decimals of a cost in USD: the cheapest answers come to some 1e-6, and each candidate's is stored.
COST_DIGITS = 9

# Half an 80 % interval of a normal distribution, in standard deviations.
INTERVAL_SD = 1.28

# Standard deviation of an ability, in logits. A held-out benchmark cell was predicted with an R2
# of .56 at a spread of .5 logits between models, so .5 * sqrt(1 - .56) remains however many
# figures a model has; a model without any has the whole spread on top.
CELL_SD = 0.33
MODEL_SD = 0.5

# The row of the table that stands for every model not in it.
UNKNOWN = "*"

Floats = NDArray[np.float64]


# Pools whose constants are kept: patterns and capabilities make a few of one catalogue.
POOLS = 32


class Candidate(NamedTuple):
    """A model that may answer, with its prices in USD per token and per request."""

    slug: str
    prompt_price: float
    completion_price: float
    request_price: float = 0.0


class Predictions(NamedTuple):
    """What to expect of n candidates: P(success) with an 80 % interval, and USD per request.

    Shapes: all (n,), float64 but for the slugs, which are in their alphabetical order.
    """

    slugs: tuple[str, ...]
    quality: Floats
    low: Floats
    high: Floats
    cost_usd: Floats


class _Abilities(NamedTuple):
    rows: dict[str, int]
    logits: Floats
    verbosity: Floats
    sd: Floats


class _Pool(NamedTuple):
    """What is the same for every request to some candidates; see predict for shapes and units."""

    slugs: tuple[str, ...]
    logits: Floats
    margins: Floats
    verbosity: Floats
    prompt_prices: Floats
    completion_prices: Floats
    request_prices: Floats


def _load(path: Path) -> _Abilities:
    with path.open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    figures = np.array([float(row["figures"]) for row in table])
    return _Abilities(
        rows={row["slug"]: at for at, row in enumerate(table)},
        logits=np.array([[float(row[GROUP_OF[task]]) for task in TASKS] for row in table]),
        verbosity=np.array([float(row["verbosity"]) for row in table]),
        sd=np.sqrt(CELL_SD**2 + MODEL_SD**2 / (1 + figures)),
    )


_shares_of = itemgetter(*TASKS)

_ABILITIES = _load(Path(__file__).with_name("abilities.csv"))


def predict(analysis: Analysis, candidates: Sequence[Candidate]) -> Predictions:
    """Predict P(success) and cost of each candidate.

    P = sigmoid(posterior . ability - SLOPE * difficulty + OFFSET); what goes in and what comes out
    is rounded here, before any ranking, so that near-equals do not change places over a typo.

    Shapes: n = len(candidates); logits (n, len(TASKS)), margins (3, n), everything else (n,),
    float64.
    Units: abilities and difficulty in logits, prices in USD per token, cost in USD per request.
    A model that is not in abilities.csv gets the row `*`: below average, with a wide interval.
    Source: abilities.csv; how it was made is in README.md.
    """
    pool = _pool(tuple(candidates))
    logit = pool.logits.dot(_posterior(analysis)) + (OFFSET - SLOPE * _difficulty(analysis))
    quality, low, high = _probability(pool.margins - logit)
    return Predictions(pool.slugs, quality, low, high, _cost_usd(analysis, pool))


@lru_cache(maxsize=POOLS)
def _pool(candidates: tuple[Candidate, ...]) -> _Pool:
    candidates = tuple(sorted(candidates))
    unknown = _ABILITIES.rows[UNKNOWN]
    rows = np.array([_ABILITIES.rows.get(one.slug, unknown) for one in candidates], dtype=np.intp)
    margin = INTERVAL_SD * _ABILITIES.sd[rows]
    return _Pool(
        tuple(one.slug for one in candidates),
        _ABILITIES.logits[rows],
        np.array([0 * margin, margin, -margin]),
        _ABILITIES.verbosity[rows],
        *np.array([one[1:] for one in candidates], dtype=np.float64).reshape(-1, 3).T.copy(),
    )


def _posterior(analysis: Analysis) -> Floats:
    exact = np.array(_shares_of(analysis.tasks))
    rounded = np.rint(exact / POSTERIOR_STEP)
    total = np.add.reduce(rounded)
    result: Floats = rounded / total if total else exact
    return result


def _difficulty(analysis: Analysis) -> float:
    steps = round((analysis.difficulty - HARDEST) / DIFFICULTY_STEP)
    return HARDEST + steps * DIFFICULTY_STEP


def _output_tokens(analysis: Analysis) -> float:
    return exp(round(log(max(analysis.output_tokens, 1.0)) / LOG_TOKENS_STEP) * LOG_TOKENS_STEP)


def _probability(negated: Floats) -> Floats:
    probability: Floats = np.rint(QUALITIES / (1 + np.exp(negated)))
    probability /= QUALITIES
    return probability


def _cost_usd(analysis: Analysis, pool: _Pool) -> Floats:
    """Price the request: its tokens, the answer's at this model's verbosity, and the fixed part."""
    output_tokens = _output_tokens(analysis) * pool.verbosity
    if analysis.max_output_tokens is not None:
        output_tokens = np.minimum(output_tokens, analysis.max_output_tokens)
    cost: Floats = analysis.prompt_tokens * pool.prompt_prices
    cost += output_tokens * pool.completion_prices
    cost += pool.request_prices
    return cost.round(COST_DIGITS)
