"""Ways to predict success without our analysis: averages per given task, and nearest neighbours."""

from collections.abc import Mapping, Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from routing.engine.evaluation.curves import Curve
from routing.engine.evaluation.data import Prompt
from routing.engine.evaluation.policies import Pair, sweep
from routing.engine.evaluation.trial import Trial

Floats = NDArray[np.float64]

# An average counts as much as this many prompts of the model's overall mean.
SHRINKAGE = 10.0

# Neighbours that vote, words' hashed dimensions, and the most prompts that may be neighbours:
# 10, 30 and 100 neighbours differ by less than two seeds do.
NEIGHBOURS = 30
DIMENSIONS = 512
MOST_NEIGHBOURS = 5000
CHUNK = 1000


def baselines(trial: Trial) -> Mapping[str, Curve]:
    """Return the curves of the baselines that this data allows."""
    curves = {"neighbours": _judged(trial, _neighbours(trial), _mean_costs(trial))}
    if all("task" in prompt.keys for side in trial.prompts for prompt in side):
        success = _by_task(trial, trial.table.scores.calibration)
        costs = _by_task(trial, trial.table.costs.calibration)
        curves["task averages"] = _judged(trial, success, costs)
    return curves


def _judged(trial: Trial, success: Pair, costs: Pair) -> Curve:
    return trial.table.judge(sweep(trial.table, success, costs))


def _by_task(trial: Trial, values: Floats) -> Pair:
    """Predict a model's values from their mean over the calibration prompts of the given task."""
    names = sorted({prompt.keys["task"] for side in trial.prompts for prompt in side})
    sides = [np.array([names.index(one.keys["task"]) for one in side]) for side in trial.prompts]
    belongs = np.eye(len(names))[sides[0]]
    total = belongs.T @ values + SHRINKAGE * values.mean(axis=0)
    means = total / (belongs.sum(axis=0)[:, None] + SHRINKAGE)
    return Pair(*(means[side] for side in sides))


def _mean_costs(trial: Trial) -> Pair:
    mean = trial.table.costs.calibration.mean(axis=0)
    return Pair(*(np.tile(mean, (len(side), 1)) for side in trial.prompts))


def _neighbours(trial: Trial) -> Pair:
    """Predict success as the mean over the calibration prompts with the most words in common."""
    known, asked = (_words(side) for side in trial.prompts)
    rarity = np.log((1 + len(known)) / (1 + known.sum(axis=0)))
    known, asked = (_unit(side * rarity) for side in (known, asked))
    scores = trial.table.scores.calibration
    # A prompt's nearest neighbour on its own side is itself, which would tell its own grade.
    own = _vote(known, known, scores, skip=1)
    return Pair(own, _vote(asked, known, scores, skip=0))


def _vote(asked: Floats, known: Floats, scores: Floats, *, skip: int) -> Floats:
    known, scores_of_known = known[:MOST_NEIGHBOURS], scores[:MOST_NEIGHBOURS]
    count = min(NEIGHBOURS, len(known) - skip)
    if count < 1:
        return np.tile(scores.mean(axis=0), (len(asked), 1))
    votes = []
    for start in range(0, len(asked), CHUNK):
        alike = asked[start : start + CHUNK] @ known.T
        nearest = np.argsort(-alike, axis=1, kind="stable")[:, skip : skip + count]
        votes.append(scores_of_known[nearest].mean(axis=1))
    return np.concatenate(votes)


def _words(prompts: Sequence[Prompt]) -> Floats:
    """Return which hashed words each prompt has, 0 or 1, (n, DIMENSIONS)."""
    has = np.zeros((len(prompts), DIMENSIONS))
    for row, prompt in enumerate(prompts):
        words = set(prompt.text.lower().split())
        has[row, [crc32(word.encode("utf-8", "replace")) % DIMENSIONS for word in words]] = 1.0
    return has


def _unit(rows: Floats) -> Floats:
    length: Floats = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Floats = rows / np.maximum(length, 1e-12)
    return unit
