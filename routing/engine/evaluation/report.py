"""All figures of one evaluation, as JSON and as text for a terminal."""

from dataclasses import asdict, dataclass
from typing import Any

from routing.engine.analysis import analyse as analyse_in_place
from routing.engine.evaluation.data import Graded
from routing.engine.evaluation.judgement import (
    Analyse,
    Figures,
    judge,
    mean_over_pools,
    reading_of,
)


@dataclass(frozen=True, slots=True)
class Report:
    """Figures on the prompts that judge, averaged over pools of models by prompts.

    Units: aiq, aiqlog and quality as shares of 1; ladder in points (hundredths).
    """

    aiq: Figures
    aiqlog: Figures
    ladder: Figures
    n: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def evaluate(
    graded: Graded,
    *,
    analyse: Analyse = analyse_in_place,
    calibrate: float = 0.3,
    seed: int = 0,
) -> Report:
    """Judge an analysis on graded prompts: fit abilities on one share, count on the rest."""
    judged = judge(graded, reading_of(graded, analyse), calibrate=calibrate, seed=seed)
    return Report(
        aiq=mean_over_pools(judged, [one.aiq() for one in judged]),
        aiqlog=mean_over_pools(judged, [one.aiqlog() for one in judged]),
        ladder=mean_over_pools(judged, [one.ladder for one in judged]),
        n=sum(one.n for one in judged),
    )
