"""One pool of models with everything fitted on its calibration share: what policies are made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from routing.engine.analysis import Analysis, Conversation, read
from routing.engine.evaluation.abilities import Reading, expected_costs, fit
from routing.engine.evaluation.data import Graded, Prompt
from routing.engine.evaluation.policies import Pair, Table
from routing.engine.evaluation.split import pools, split

Analyse = Callable[[Conversation], Analysis]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Trial:
    """A pool's prompts on both sides, their grades, and the router's predictions for them.

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
    models, *rows = drawn
    table = Table(
        Pair(*(graded.scores[np.ix_(side, models)] for side in rows)),
        Pair(*(graded.costs[np.ix_(side, models)] for side in rows)),
    )
    first, rest = (reading.of(side) for side in rows)
    abilities = fit(first, table.scores.calibration)
    costs = (expected_costs(first, table.costs.calibration, side) for side in (first, rest))
    return Trial(
        tuple(graded.models[model] for model in models),
        ([graded.prompts[row] for row in rows[0]], [graded.prompts[row] for row in rows[1]]),
        table,
        Pair(abilities.success(first), abilities.success(rest)),
        Pair(*costs),
        Pair(first.difficulty, rest.difficulty),
        seed,
    )
