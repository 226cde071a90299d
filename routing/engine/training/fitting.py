"""Linear heads fitted by Adam over shuffled slices: softmax for tasks, squares for numbers."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from routing.engine.features import DENSE
from routing.engine.training.design import COLUMNS, Design, Floats, Rows
from routing.engine.words import WORDS

# A slice of 256 prompts is 67 MB when spelt out, and 8 MB of weights are read for each.
SLICE = 256

# Adam's usual constants (Kingma and Ba 2015), with its step for each kind of weight.
DECAY_MEAN, DECAY_SQUARE, TINY = 0.9, 0.999, 1e-8

# Share of prompts whose n-grams are hidden while fitting: so the cues learn to stand alone, as
# they must where the words are of a source never seen.
HIDDEN = 0.3


@dataclass(frozen=True, slots=True)
class Plan:
    """How to fit: passes over the data, Adam's steps, the shrinkage, the seed.

    of_words: whether weights of words are fitted beside the dense ones, or hashed ones, the others
    being 0; step and shrink are theirs. Never both: n-grams fitted with words take what the words
    of their own sources say. On public sources left out 62 % were right, against 65 % with the
    scores of two fits added up.
    """

    passes: int = 6
    step: float = 0.03
    dense_step: float = 0.01
    shrink: float = 0.02
    seed: int = 0
    of_words: bool = False


@dataclass(frozen=True, slots=True)
class Heads:
    """Weights of c outputs: hashed (COLUMNS, c), dense (DENSE, c), words (WORDS, c), bias (c,)."""

    hashed: Floats
    dense: Floats
    words: Floats
    bias: Floats


Residual = Callable[[Floats, Rows], Floats]


def fit(
    design: Design,
    outputs: int,
    residual: Residual,
    *,
    plan: Plan,
    of: Rows | None = None,
) -> Heads:
    """Fit the plan's weights on the prompts `of` a design, all if not given.

    `residual(scores, rows)` is the gradient of the loss by the scores, weighted.

    The same seed, data, numpy and processor give the same weights.
    """
    random = np.random.default_rng(plan.seed)
    sizes = (WORDS if plan.of_words else COLUMNS, DENSE, 1)
    weights = [np.zeros((size, outputs), np.float32) for size in sizes]
    state = [(np.zeros_like(one), np.zeros_like(one)) for one in weights]
    steps = (plan.step, plan.dense_step, plan.dense_step)
    rows_of = np.arange(len(design)) if of is None else of
    slices = -(-len(rows_of) // SLICE)
    total, count = plan.passes * slices, 0
    for _ in range(plan.passes):
        for rows in np.array_split(random.permutation(rows_of), slices):
            count += 1
            first = design.words[rows] if plan.of_words else _some_hidden(design, rows, random)
            dense = design.dense[rows]
            scores = first @ weights[0] + dense @ weights[1] + weights[2]
            error = residual(scores, rows)
            gradients = [first.T @ error, dense.T @ error, error.sum(axis=0, keepdims=True)]
            gradients[0] += np.float32(plan.shrink / slices) * weights[0]
            pace = 1 - count / (total + 1)
            for one, gradient, moments, step in zip(weights, gradients, state, steps, strict=True):
                _adam(one, gradient, moments, count, np.float32(step * pace))
    fitted, dense, [bias] = weights
    if plan.of_words:
        return Heads(np.zeros((COLUMNS, outputs), np.float32), dense, fitted, bias)
    return Heads(fitted, dense, np.zeros((WORDS, outputs), np.float32), bias)


def _some_hidden(design: Design, rows: Rows, random: np.random.Generator) -> Floats:
    hashed = design.hashed(rows)
    hashed[random.random(len(rows)) < HIDDEN] = 0
    return hashed


def sum_of(one: Heads, other: Heads, share: float) -> Heads:
    """Return heads whose scores are those of one and a share of those of another."""
    portion = np.float32(share)
    return Heads(
        one.hashed + portion * other.hashed,
        one.dense + portion * other.dense,
        one.words + portion * other.words,
        one.bias + portion * other.bias,
    )


def softmax_residual(targets: Rows, weights: Floats, smoothing: float) -> Residual:
    """Return the gradient of cross entropy against labels, smoothed over all outputs."""

    def residual(scores: Floats, rows: Rows) -> Floats:
        wanted = np.full_like(scores, smoothing / scores.shape[1])
        wanted[np.arange(len(rows)), targets[rows]] += 1 - smoothing
        error: Floats = (softmax(scores) - wanted) * (weights[rows, None] / np.float32(len(rows)))
        return error

    return residual


def squared_residual(targets: Floats, weights: Floats) -> Residual:
    """Return the gradient of weighted squares against targets (n, outputs)."""

    def residual(scores: Floats, rows: Rows) -> Floats:
        error: Floats = (scores - targets[rows]) * (weights[rows] / np.float32(len(rows)))
        return error

    return residual


def scores_of(heads: Heads, design: Design) -> Floats:
    """Return the heads' outputs for every prompt, (n, outputs)."""
    slices = np.array_split(np.arange(len(design)), -(-len(design) // SLICE))
    return np.concatenate(
        [
            design.hashed(rows) @ heads.hashed
            + design.dense[rows] @ heads.dense
            + design.words[rows] @ heads.words
            + heads.bias
            for rows in slices
        ]
    )


def softmax(scores: Floats) -> Floats:
    """Return probabilities along the last axis."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    result: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return result


def _adam(
    weights: Floats, gradient: Floats, moments: tuple[Floats, Floats], count: int, step: np.float32
) -> None:
    mean, square = moments
    mean += np.float32(1 - DECAY_MEAN) * (gradient - mean)
    square += np.float32(1 - DECAY_SQUARE) * (gradient * gradient - square)
    unbiased = np.sqrt(square / np.float32(1 - DECAY_SQUARE**count)) + np.float32(TINY)
    weights -= step / np.float32(1 - DECAY_MEAN**count) * mean / unbiased
