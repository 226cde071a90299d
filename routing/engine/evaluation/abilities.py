"""The only part that is fitted here: how able, and how costly, each model is at each task."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Spread of models around the average, and of a model's tasks around its own level, in logits.
# Estimated from the scores of 31 data sets (EM on the same model) 1.04 and 0.34 on average; and
# 0.25 to 0.7, or 2.0 for models, change the mean gain by less than a tenth of a point.
MODEL_SD = 1.0
TASK_SD = 0.33

# Spread of what a task does to all models alike.
COMMON_SD = 1.0

# The difficulty is in logits already, so its slope starts at 1; the data decides within this.
SLOPE_SD = 1.0

# Newton's steps until nothing moves by more than the tolerance, in logits.
STEPS = 30
TOLERANCE = 1e-3

# A task's mean cost counts as much as this many prompts of the model's overall mean.
COST_PROMPTS = 10.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What the frozen prompt side says of each prompt.

    Shapes: posterior (n, len(tasks)), rows sum to 1; difficulty (n,), in logits, + harder.
    """

    tasks: tuple[str, ...]
    posterior: Floats
    difficulty: Floats

    def of(self, rows: NDArray[np.intp]) -> "Reading":
        return Reading(self.tasks, self.posterior[rows], self.difficulty[rows])


@dataclass(frozen=True, slots=True)
class Abilities:
    """A model's logits per task (m, t), and what one logit of difficulty takes off."""

    logits: Floats
    slope: float

    def success(self, reading: Reading) -> Floats:
        """Return P(success), (n, m)."""
        return _sigmoid(_logit(reading, self.logits, self.slope))


def fit(reading: Reading, scores: Floats) -> Abilities:
    """Fit abilities and slope to scores by penalised likelihood.

    P = sigmoid(posterior . ability[model] - slope * difficulty); a model's abilities are normal
    around the average of the pool, with a part common to its tasks (MODEL_SD) and one of each
    task (TASK_SD). A model without scores gets the average. The slope is never negative: turning
    the axis round is no skill of it.

    Shapes: scores (n, m) in 0 to 1, NaN where not graded.
    """
    tasks = reading.posterior.shape[1]
    spread: Floats = np.full((tasks, tasks), MODEL_SD**2) + TASK_SD**2 * np.eye(tasks)
    precision = np.asarray(np.linalg.inv(spread), dtype=np.float64)
    level = _level(scores)
    common: Floats = np.full(tasks, level)
    abilities = Abilities(np.tile(common, (scores.shape[1], 1)), 1.0)
    for _ in range(STEPS):
        before = abilities
        abilities = Abilities(_step(before, reading, scores, (common, precision)), before.slope)
        abilities = Abilities(abilities.logits, _slope_step(abilities, reading, scores))
        common = _common(abilities.logits, precision, level)
        if np.abs(abilities.logits - before.logits).max() < TOLERANCE:
            break
    return abilities


def expected_costs(reading: Reading, costs: Floats, of: Reading) -> Floats:
    """Predict each model's cost on prompts `of` from its mean costs per task elsewhere, (n, m).

    A task's mean is drawn to the model's overall mean by COST_PROMPTS prompts.
    """
    mean = costs.mean(axis=0)
    weight = reading.posterior.sum(axis=0)[:, None] + COST_PROMPTS
    by_task = (reading.posterior.T @ costs + COST_PROMPTS * mean) / weight
    predicted: Floats = of.posterior @ by_task
    return predicted


def _step(now: Abilities, reading: Reading, scores: Floats, prior: tuple[Floats, Floats]) -> Floats:
    """Move every model's abilities by one step of Newton's method."""
    mean, precision = prior
    success = now.success(reading)
    residual = np.where(np.isfinite(scores), scores - success, 0.0)
    weight = np.where(np.isfinite(scores), success * (1 - success), 0.0)
    gradient = residual.T @ reading.posterior - (now.logits - mean) @ precision
    moved = np.empty_like(now.logits)
    for model in range(scores.shape[1]):
        curvature = (reading.posterior * weight[:, model, None]).T @ reading.posterior
        step = np.linalg.solve(curvature + precision, gradient[model])
        moved[model] = now.logits[model] + np.clip(step, -1, 1)
    return moved


def _slope_step(now: Abilities, reading: Reading, scores: Floats) -> float:
    success = now.success(reading)
    known = np.isfinite(scores)
    hard = reading.difficulty[:, None]
    gradient = -(np.where(known, scores - success, 0.0) * hard).sum()
    gradient -= (now.slope - 1) / SLOPE_SD**2
    curvature = (np.where(known, success * (1 - success), 0.0) * hard**2).sum() + 1 / SLOPE_SD**2
    return max(now.slope + float(np.clip(gradient / curvature, -1, 1)), 0.0)


def _common(logits: Floats, precision: Floats, level: float) -> Floats:
    """Return the average model: the mean of the models, tasks drawn to the overall level."""
    own = np.eye(len(precision)) / COMMON_SD**2
    total = precision @ logits.sum(axis=0) + own @ np.full(len(precision), level)
    result: Floats = np.linalg.solve(len(logits) * precision + own, total)
    return result


def _level(scores: Floats) -> float:
    known = scores[np.isfinite(scores)]
    mean = (known.sum() + 1) / (known.size + 2)
    return float(np.log(mean / (1 - mean)))


def _logit(reading: Reading, logits: Floats, slope: float) -> Floats:
    result: Floats = reading.posterior @ logits.T - slope * reading.difficulty[:, None]
    return result


def _sigmoid(logit: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(logit, -30, 30)))
