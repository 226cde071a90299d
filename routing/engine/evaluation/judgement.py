"""What a way to read prompts is worth: its curve beside those of simpler policies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from routing.engine.analysis import Analysis, Conversation, analyse, read
from routing.engine.evaluation.abilities import Reading, expected_costs, fit
from routing.engine.evaluation.curves import Curve, Ints, Range, mean_over_cost, mean_over_log_cost
from routing.engine.evaluation.data import Graded
from routing.engine.evaluation.ladder import always, gain, ladder
from routing.engine.evaluation.policies import (
    Pair,
    Table,
    oracle,
    singles,
    steps,
    sweep,
)
from routing.engine.evaluation.split import Pool, pools, split

Analyse = Callable[[Conversation], Analysis]
Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Curves by policy on the prompts of one pool of models, over one range of costs."""

    n: int
    range: Range
    curves: Mapping[str, Curve]
    ladder: Figures

    def aiq(self) -> Figures:
        return {name: mean_over_cost(one, self.range) for name, one in self.curves.items()}

    def aiqlog(self) -> Figures:
        return {name: mean_over_log_cost(one, self.range) for name, one in self.curves.items()}


def reading_of(graded: Graded, analyse: Analyse = analyse) -> Reading:
    """Analyse every prompt; the tasks are those that the analysis names."""
    analyses = [analyse(read(prompt.messages)) for prompt in graded.prompts]
    tasks = tuple(analyses[0].tasks)
    return Reading(
        tasks,
        np.array([[one.tasks[task] for task in tasks] for one in analyses]),
        np.array([one.difficulty for one in analyses]),
    )


def judge(
    graded: Graded, reading: Reading, *, calibrate: float = 0.3, seed: int = 0
) -> list[Judgement]:
    """Judge a reading of the prompts on each pool of models, (reading row i is prompt i)."""
    sides = split(graded.prompts, calibrate, seed)
    return [_judge_pool(graded, reading, pool, (sides, seed)) for pool in pools(graded)]


def mean_over_pools(judgements: Sequence[Judgement], figures: Sequence[Figures]) -> Figures:
    """Average figures over pools by their number of prompts."""
    weights = np.array([one.n for one in judgements], dtype=float)
    return {
        name: float(np.average([one[name] for one in figures], weights=weights))
        for name in figures[0]
    }


def _judge_pool(
    graded: Graded, reading: Reading, pool: Pool, drawn: tuple[tuple[Ints, Ints], int]
) -> Judgement:
    sides, seed = drawn
    rows = [np.intersect1d(side, pool.rows) for side in sides]
    table = Table(
        Pair(*(graded.scores[np.ix_(side, pool.models)] for side in rows)),
        Pair(*(graded.costs[np.ix_(side, pool.models)] for side in rows)),
    )
    here = [reading.of(side) for side in rows]
    abilities = fit(here[0], table.scores.calibration)
    success = Pair(*(abilities.success(side) for side in here))
    costs = Pair(*(expected_costs(here[0], table.costs.calibration, side) for side in here))
    blind = _blind_scores(graded, rows, seed)
    curves = {"router": table.judge(sweep(success, costs)), "hull": table.judge(singles(table))}
    curves |= {name: table.judge(steps(table, score)) for name, score in blind.items()}
    ladders = {"router": ladder(table, lambda weak, strong: gain(success.rest, weak, strong))}
    ladders |= {name: ladder(table, always(score.rest)) for name, score in blind.items()}
    return Judgement(len(rows[1]), table.range(), curves | {"oracle": oracle(table)}, ladders)


def _blind_scores(graded: Graded, rows: Sequence[Ints], seed: int) -> dict[str, Pair]:
    """Return what simpler policies order prompts by: chance, and the number of characters."""
    lots = np.random.default_rng(seed)
    lengths = [np.array([float(len(graded.prompts[at].text)) for at in side]) for side in rows]
    return {
        "random": Pair(*(lots.random(len(side)) for side in rows)),
        "length": Pair(*lengths),
        "length_reversed": Pair(*(-length for length in lengths)),
    }
