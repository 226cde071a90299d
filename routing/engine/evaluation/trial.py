"""One pool of models with everything fitted on its calibration share: what policies are made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from routing.engine.analysis import Analysis
from routing.engine.conversation import Conversation, read
from routing.engine.evaluation.abilities import Reading, expected_costs, fit
from routing.engine.evaluation.data import Graded, Prompt
from routing.engine.evaluation.policies import Floats, Pair, Table
from routing.engine.evaluation.split import folds, pools, split

Analyse = Callable[[Conversation], Analysis]
Ints = NDArray[np.intp]

# Parts of the calibration share, each of which is predicted by what the others taught.
FOLDS = 10


class Grades(NamedTuple):
    """What models scored and cost on some prompts, (n, m) each."""

    scores: Floats
    costs: Floats


class Predicted(NamedTuple):
    """P(success) and costs of models on some prompts, (n, m) each."""

    success: Floats
    costs: Floats


@dataclass(frozen=True, slots=True)
class Trial:
    """A pool's prompts on both sides, their grades, and the router's predictions for them.

    No prompt is predicted by a fit that has seen its grades, on neither side: a fit flatters its
    own prompts, and policies chosen by that would disappoint on others.

    Shapes: success and costs (n, m) on either side, as in the table; difficulty (n,).
    """

    models: tuple[str, ...]
    prompts: tuple[Sequence[Prompt], Sequence[Prompt]]
    table: Table
    success: Pair
    costs: Pair
    difficulty: Pair
    seed: int

    @property
    def n(self) -> int:
        """How many prompts judge."""
        return len(self.prompts[1])

    def per_prompt(self, value: Callable[[Prompt], float]) -> Pair:
        """Return a number of each prompt, (n,) on either side."""
        return Pair(*(np.array([value(one) for one in side]) for side in self.prompts))


def reading_of(graded: Graded, analyse: Analyse) -> Reading:
    """Analyse every prompt; the tasks are those that the analysis names."""
    analyses = [analyse(read(prompt.messages)) for prompt in graded.prompts]
    tasks = tuple(analyses[0].tasks)
    return Reading(
        tasks,
        np.array([[one.tasks[task] for task in tasks] for one in analyses]),
        np.array([one.difficulty for one in analyses]),
    )


def trials(graded: Graded, reading: Reading, *, calibrate: float, seed: int) -> list[Trial]:
    """Split the prompts and fit each pool of models by itself; row i of reading is prompt i."""
    sides = split(graded.prompts, calibrate, seed)
    found = []
    for pool in pools(graded):
        rows = [np.intersect1d(side, pool.rows) for side in sides]
        if all(side.size for side in rows):
            found.append(_trial(graded, reading, (pool.models, *rows), seed))
    return found


def _trial(graded: Graded, reading: Reading, drawn: tuple[Ints, ...], seed: int) -> Trial:
    models, calibrating, judging = drawn
    rows = calibrating, judging
    table = Table(
        Pair(*(graded.scores[np.ix_(side, models)] for side in rows)),
        Pair(*(graded.costs[np.ix_(side, models)] for side in rows)),
    )
    asked = [graded.prompts[row] for row in calibrating]
    first, rest = (reading.of(side) for side in rows)
    grades = Grades(table.scores.calibration, table.costs.calibration)
    own = _of_each_other(first, grades, folds(asked, FOLDS, seed))
    others = _predicted(first, grades, rest)
    return Trial(
        tuple(graded.models[model] for model in models),
        (asked, [graded.prompts[row] for row in judging]),
        table,
        Pair(own.success, others.success),
        Pair(own.costs, others.costs),
        Pair(first.difficulty, rest.difficulty),
        seed,
    )


def _predicted(reading: Reading, grades: Grades, of: Reading) -> Predicted:
    """Predict prompts `of` by the grades of others, whose reading is given."""
    abilities = fit(reading, grades.scores)
    return Predicted(abilities.success(of), expected_costs(reading, grades.costs, of))


def _of_each_other(reading: Reading, grades: Grades, parts: Sequence[Ints]) -> Predicted:
    """Predict each part of some prompts by what all other parts teach."""
    found = Predicted(np.empty_like(grades.scores), np.empty_like(grades.costs))
    every = np.arange(len(grades.scores))
    for part in parts:
        # Where all have one text there is no other part.
        taught = np.setdiff1d(every, part) if len(parts) > 1 else every
        kept = Grades(grades.scores[taught], grades.costs[taught])
        found.success[part], found.costs[part] = _predicted(
            reading.of(taught), kept, reading.of(part)
        )
    return found
