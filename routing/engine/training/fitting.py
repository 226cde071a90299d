"""Linear heads fitted by Adam over shuffled slices: softmax for tasks, squares for numbers."""

from collections.abc import Callable, Sequence
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
    """How to fit: passes over the data, Adam's steps, the shrinkage of hashed weights, the seed.

    step is that of hashed weights or, where those are not fitted, of words.
    """

    passes: int = 6
    step: float = 0.03
    dense_step: float = 0.01
    shrink: float = 0.02
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Heads:
    """Weights of c outputs: hashed (COLUMNS, c), dense (DENSE, c), words (WORDS, c), bias (c,)."""

    hashed: Floats
    dense: Floats
    words: Floats
    bias: Floats


Residual = Callable[[Floats, Rows], Floats]
Inputs = Callable[[Rows], Sequence[Floats]]


def fit(
    design: Design,
    outputs: int,
    residual: Residual,
    *,
    plan: Plan,
    of: Rows | None = None,
) -> Heads:
    """Fit hashed and dense weights on the prompts `of` a design, all if not given.

    `residual(scores, rows)` is the gradient of the loss by the scores, weighted.

    The same seed, data, numpy and processor give the same weights.
    """
    random = np.random.default_rng(plan.seed)

    def inputs(rows: Rows) -> list[Floats]:
        hashed = design.hashed(rows)
        hashed[random.random(len(rows)) < HIDDEN] = 0
        return [hashed, design.dense[rows]]

    weights = _nothing((COLUMNS, DENSE, 1), outputs)
    _descend(weights, inputs, residual, plan, (random, _rows(design, of)))
    hashed, dense, bias = weights
    return Heads(hashed, dense, np.zeros((WORDS, outputs), np.float32), bias[0])


def fit_words(
    design: Design,
    outputs: int,
    residual: Residual,
    *,
    plan: Plan,
    of: Rows | None = None,
) -> Heads:
    """Fit the weights of words and dense weights, as fit does; the hashed ones are 0.

    Apart, because n-grams fitted with them take what the words of their own sources say: on public
    sources left out 62 % were right, against 65 % with the scores of two fits added up.
    """
    random = np.random.default_rng(plan.seed)
    weights = _nothing((WORDS, DENSE, 1), outputs)
    _descend(
        weights,
        lambda rows: [design.words[rows], design.dense[rows]],
        residual,
        plan,
        (random, _rows(design, of)),
    )
    words, dense, bias = weights
    return Heads(np.zeros((COLUMNS, outputs), np.float32), dense, words, bias[0])


def _nothing(sizes: Sequence[int], outputs: int) -> list[Floats]:
    return [np.zeros((size, outputs), np.float32) for size in sizes]


def _rows(design: Design, of: Rows | None) -> Rows:
    return np.arange(len(design)) if of is None else of


def _descend(
    weights: Sequence[Floats],
    inputs: Inputs,
    residual: Residual,
    plan: Plan,
    order: tuple[np.random.Generator, Rows],
) -> None:
    """Fit weights in place, those of each of the inputs and the bias, on rows in random order.

    The first of the inputs has the plan's step and shrinkage.
    """
    random, rows_of = order
    state = [(np.zeros_like(one), np.zeros_like(one)) for one in weights]
    steps = (plan.step, plan.dense_step, plan.dense_step)
    slices = -(-len(rows_of) // SLICE)
    total, count = plan.passes * slices, 0
    for _ in range(plan.passes):
        for rows in np.array_split(random.permutation(rows_of), slices):
            count += 1
            first, dense = inputs(rows)
            scores = first @ weights[0] + dense @ weights[1] + weights[2]
            error = residual(scores, rows)
            gradients = [first.T @ error, dense.T @ error, error.sum(axis=0, keepdims=True)]
            gradients[0] += np.float32(plan.shrink / slices) * weights[0]
            pace = 1 - count / (total + 1)
            for one, gradient, moments, step in zip(weights, gradients, state, steps, strict=True):
                _adam(one, gradient, moments, count, np.float32(step * pace))


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
