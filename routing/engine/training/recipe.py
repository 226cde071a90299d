"""The whole training: prompts in, artefact out, with the figures that the model card quotes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from routing.engine.axis import TOKENS_AT_ONE, TOKENS_PER_POINT, complexity_of, difficulty_of
from routing.engine.features import read_features
from routing.engine.tasks import TASKS
from routing.engine.training import artefact
from routing.engine.training.design import Design, Floats, Rows, design_of
from routing.engine.training.difficulty import Graded, read_graded
from routing.engine.training.examples import (
    Example,
    read_examples,
    roughened,
    steered,
    with_matter,
)
from routing.engine.training.fitting import (
    Heads,
    Plan,
    fit,
    softmax_residual,
    squared_residual,
    sum_of,
)
from routing.engine.training.templating import make_examples
from routing.engine.training.written import FOREIGN, WRITTEN, read_written

SEED = 20261121

# Prompts kept of one task from one source: more of the same form teach nothing new.
MOST_PER_SOURCE = 500

TASK_PLAN = Plan(passes=4, step=0.1, dense_step=0.03, shrink=0.02, seed=SEED)
WORD_PLAN = Plan(passes=4, step=0.003, dense_step=0.003, shrink=0.0, seed=SEED, of_words=True)
NUMBER_PLAN = Plan(passes=6, step=0.015, dense_step=0.03, shrink=10.0, seed=SEED)
SMOOTHING = 0.05

# Sources weigh by the root of their size: equal weights would let ten odd prompts outshout 500.
BALANCE = 0.5

# How hard a source's prompts are where nobody graded them, 1 to 5, judged by reading thirty each.
SOURCE_HARDNESS = {
    "arena_hard_v0.1": 3.4,
    "arena_hard_v2": 3.4,
    "gpteacher": 2.0,
    "clinc150": 1.3,
    "banking77": 1.6,
}

# A regression draws to the mean: on templates and data sets left out, the true difficulty rose by
# 1.3 and 1.0 per predicted logit (two folds).
STRETCH = 1.3

# Share of the scores of words added to those of n-grams; more moves more picks (FIGURES.md).
WORD_SHARE = 0.7

# Divides the scores of tasks; measured on sources left out (FIGURES.md).
TEMPERATURE = 1.05


def train(data_dir: Path, folder: Path) -> str:
    """Fit the heads on DATA_DIR and the templates, write them and return their version."""
    tasks, numbers = fit_heads(prepared(data_dir), read_graded(data_dir))
    return artefact.write(folder, tasks, numbers, TEMPERATURE)


def fit_heads(examples: Sequence[Example], graded: Sequence[Graded]) -> tuple[Heads, Heads]:
    """Fit the scores of tasks, and difficulty with the logarithm of the answer's tokens."""
    random = Random(SEED)  # noqa: S311 - it has to be repeatable.
    design = design_of(map(read_features, roughened_texts(examples, random)))
    return fit_tasks(design, examples), fit_numbers(examples, graded)


def prepared(data_dir: Path) -> list[Example]:
    """Read and make all examples, shuffled, at most MOST_PER_SOURCE of one task and source."""
    examples = read_examples(data_dir) + make_examples(SEED) + read_written()
    Random(SEED).shuffle(examples)  # noqa: S311 - it has to be repeatable.
    kept: Counter[tuple[str, str]] = Counter()
    chosen = []
    for one in examples:
        kept[one.task, one.source] += 1
        if kept[one.task, one.source] <= MOST_PER_SOURCE:
            chosen.append(one)
    return chosen


def roughened_texts(examples: Sequence[Example], random: Random) -> Iterator[str]:
    """Yield the texts as trained on: steered, with pasted matter, mistyped and cut at random."""
    talking = [replace(one, text=steered(one.text, random)) for one in examples]
    return (roughened(one.text, random) for one in with_matter(talking, random))


def targets_of(examples: Sequence[Example]) -> NDArray[np.intp]:
    """Return the number of each example's task."""
    return np.array([TASKS.index(one.task) for one in examples])


def fit_tasks(design: Design, examples: Sequence[Example], of: Rows | None = None) -> Heads:
    """Fit the scores of tasks on some of the examples, all if not given."""
    rows = np.arange(len(examples)) if of is None else of
    weights = np.zeros(len(examples), dtype=np.float32)
    weights[rows] = weights_of([examples[row] for row in rows])
    residual = softmax_residual(targets_of(examples), weights, SMOOTHING)
    grams = fit(design, len(TASKS), residual, plan=TASK_PLAN, of=rows)
    words = fit(design, len(TASKS), residual, plan=WORD_PLAN, of=rows)
    return sum_of(grams, words, WORD_SHARE)


def weights_of(examples: Sequence[Example]) -> Floats:
    """Return a weight per example, mean 1, that evens out tasks and the sources within them."""
    sizes = Counter((one.task, one.source) for one in examples)
    sources = Counter(task for task, _ in sizes)
    weights = np.array(
        [(sizes[one.task, one.source] * sources[one.task]) ** -BALANCE for one in examples]
    )
    result: Floats = (weights / weights.mean()).astype(np.float32)
    return result


def fit_numbers(examples: Sequence[Example], graded: Sequence[Graded]) -> Heads:
    """Fit difficulty and the logarithm of the answer's tokens."""
    judged = [(one.text, one.source, hardness_of(one)) for one in examples if hardness_of(one)]
    random = Random(SEED)  # noqa: S311 - it has to be repeatable.
    texts = [steered(text, random) for text, _, _ in judged] + [one.text for one in graded]
    groups = [source for _, source, _ in judged] + [one.dataset for one in graded]
    targets = np.array(
        [numbers_of(difficulty_of(hardness), 0.0) for _, _, hardness in judged]
        + [numbers_of(one.level + one.own, one.log_length) for one in graded],
        dtype=np.float32,
    )
    design = design_of(read_features(roughened(text, random)) for text in texts)
    residual = squared_residual(targets, group_weights(groups))
    heads = fit(design, 2, residual, plan=NUMBER_PLAN)
    stretch = np.array([STRETCH, 1.0], dtype=np.float32)
    return Heads(
        heads.hashed * stretch, heads.dense * stretch, heads.words * stretch, heads.bias * stretch
    )


def hardness_of(example: Example) -> float:
    """Return how hard an example is judged to be, 1 to 5, or 0 where nobody said.

    What was written is left to judge by: long prompts of it are the harder ones, and with heads
    that had learnt so any sentence added raised the spend by a tenth (FIGURES.md).
    """
    if example.source in (WRITTEN, FOREIGN):
        return 0.0
    return example.hardness or SOURCE_HARDNESS.get(example.source, 0.0)


def numbers_of(difficulty: float, log_length: float) -> tuple[float, float]:
    """Return the targets of a prompt: its difficulty, and the logarithm of its answer's tokens."""
    points = complexity_of(difficulty) - 1
    return difficulty, float(np.log(TOKENS_AT_ONE) + points * np.log(TOKENS_PER_POINT)) + log_length


def group_weights(groups: Sequence[str]) -> Floats:
    """Return weights (n, 1), mean 1, by the root of each group's size."""
    sizes = Counter(groups)
    weights = np.array([sizes[group] ** -BALANCE for group in groups])
    result: Floats = (weights / weights.mean()).astype(np.float32)[:, None]
    return result
