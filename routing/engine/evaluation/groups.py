"""The same judgement within each data set, and on all of them together, over several seeds."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from routing.engine.evaluation.abilities import Reading
from routing.engine.evaluation.data import BadData, Graded
from routing.engine.evaluation.judgement import Figures, judge, mean_over_pools
from routing.engine.evaluation.split import CALIBRATING

# A smaller set's figures are noise: 70 judged prompts have a standard error of 5 points.
MIN_GROUP = 100

SEEDS = (0, 1, 2, 3, 4)

# The name of the set that holds all others.
TOGETHER = "all together"


class Group(NamedTuple):
    """Figures of one data set: means over seeds, and the spread of router - hull between them."""

    name: str
    n: int
    aiqlog: Figures
    gain: float
    gain_sd: float
    ladder: Figures


def judge_groups(
    graded: Graded,
    reading: Reading,
    key: str,
    *,
    seeds: Sequence[int] = SEEDS,
    calibrate: float = CALIBRATING,
) -> list[Group]:
    """Judge a reading of all prompts on each value of a key by itself, then on all together.

    Abilities are fitted on the share of each. Values with fewer than MIN_GROUP graded prompts are
    left out. Raises BadData if none is left.
    """
    groups = [
        _group(value, graded.of_prompts(rows), reading.of(rows), seeds=seeds, calibrate=calibrate)
        for value, rows in _rows_by(graded, key).items()
        if len(rows) >= MIN_GROUP
    ]
    if not groups:
        raise BadData(f"No {key!r} of the prompts has {MIN_GROUP} graded prompts.")
    return [*groups, _group(TOGETHER, graded, reading, seeds=seeds, calibrate=calibrate)]


def _group(
    name: str, graded: Graded, reading: Reading, *, seeds: Sequence[int], calibrate: float
) -> Group:
    """Judge one set of prompts over several splits."""
    runs = [judge(graded, reading, calibrate=calibrate, seed=seed) for seed in seeds]
    aiqlog = [mean_over_pools(run, [one.aiqlog() for one in run]) for run in runs]
    ladder = [mean_over_pools(run, [one.ladder for one in run]) for run in runs]
    gains = [100 * (one["router"] - one["hull"]) for one in aiqlog]
    return Group(
        name,
        sum(one.n for one in runs[0]),
        _mean(aiqlog),
        float(np.mean(gains)),
        float(np.std(gains)),
        _mean(ladder),
    )


def _rows_by(graded: Graded, key: str) -> dict[str, np.ndarray[tuple[int], np.dtype[np.intp]]]:
    values = np.array([prompt.keys.get(key, "") for prompt in graded.prompts])
    return {str(one): np.flatnonzero(values == one) for one in sorted(set(values)) if one}


def _mean(figures: Sequence[Figures]) -> Figures:
    return {name: float(np.mean([one[name] for one in figures])) for name in figures[0]}
