"""All figures of one evaluation: of graded prompts, of labels, and of the time it takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from routing.engine.analysis import analyse as analyse_in_place
from routing.engine.evaluation.baselines import baselines
from routing.engine.evaluation.data import BadData, Graded, load
from routing.engine.evaluation.groups import Group, judge_groups
from routing.engine.evaluation.judgement import PLACES, Figures, Judgement, judge, mean_over_pools
from routing.engine.evaluation.labels import Typing, judge_labels, load_labels
from routing.engine.evaluation.pair import PairFigures, judge_pair
from routing.engine.evaluation.split import CALIBRATING
from routing.engine.evaluation.timing import CpuTime, cpu_times
from routing.engine.evaluation.trial import Analyse, reading_of

POLICIES = ("router", "hull", "best_single", "random", "length", "length_reversed", "oracle")
LADDERS = ("router", "random", "length", "length_reversed")


class PoolFacts(NamedTuple):
    """A pool of models that were graded on the same prompts; costs in USD per prompt."""

    models: int
    calibrating: int
    judging: int
    low: float
    high: float
    best: str
    best_quality: float


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures on the prompts that judge, averaged over pools of models by prompts.

    policies: aiq, aiqlog, the quality at three places and the cost of the best quality, of each.
    Units: qualities as shares of 1, ladder in points (hundredths), cost as a share of the best
    single model's.
    """

    policies: Mapping[str, Figures]
    ladder: Figures
    pair: PairFigures | None
    pools: Sequence[PoolFacts]
    n: int
    left_out: int


@dataclass(frozen=True, slots=True)
class Report:
    """What `evaluate_router` prints."""

    quality: Quality
    typing: Typing | None
    cpu_ms: Mapping[str, CpuTime]

    def as_json(self) -> dict[str, Any]:
        """Return the figures that another program reads; pair and typing null where not asked."""
        of, typing, pair = self.quality.policies, self.typing, self.quality.pair
        return {
            "aiq": {name: of[name]["aiq"] for name in POLICIES},
            "aiqlog": {name: of[name]["aiqlog"] for name in POLICIES},
            "ladder": {name: self.quality.ladder[name] for name in LADDERS},
            "quality_at": {name: of["router"][name] for name in PLACES},
            "cost_at_best_minus_half": {name: of[name]["cost"] for name in ("router", "hull")},
            "pair": pair and {"apgr": pair.apgr, "cpt50": pair.cpt50, "cpt80": pair.cpt80},
            "typing": typing and {"accuracy": typing.accuracy, "ece": typing.ece, "n": typing.n},
            "cpu_ms": {length: one._asdict() for length, one in self.cpu_ms.items()},
            "n": self.quality.n,
        }


def evaluate_folder(
    folder: Path,
    *,
    calibrate: float = CALIBRATING,
    seed: int = 0,
    pair: tuple[str, str] | None = None,
) -> Report:
    """Evaluate the analysis in place on a folder of graded prompts and perhaps labels.

    Raises BadData, naming file, line and value, for what cannot be used.
    """
    graded, labels = load(folder), load_labels(folder)
    return Report(
        evaluate(graded, calibrate=calibrate, seed=seed, pair=pair),
        None if labels is None else judge_labels(labels, analyse_in_place),
        cpu_times([prompt.text for prompt in graded.prompts], analyse_in_place),
    )


def evaluate_groups(folder: Path, key: str, *, calibrate: float = CALIBRATING) -> list[Group]:
    """Evaluate the analysis in place on each value of a key by itself, then on all together."""
    graded = load(folder)
    return judge_groups(graded, reading_of(graded, analyse_in_place), key, calibrate=calibrate)


def evaluate(
    graded: Graded,
    *,
    analyse: Analyse = analyse_in_place,
    calibrate: float = CALIBRATING,
    seed: int = 0,
    pair: tuple[str, str] | None = None,
) -> Quality:
    """Judge an analysis on graded prompts: fit abilities on one share, count on the rest.

    `pair` is (strong, weak). Raises BadData for a share outside 0 to 1 or an unknown pair.
    """
    if not 0 < calibrate < 1:
        raise BadData(f"--calibrate is {calibrate}; a share between 0 and 1 is accepted.")
    judged = judge(graded, reading_of(graded, analyse), calibrate=calibrate, seed=seed)
    pools = [_facts(one) for one in judged]
    return Quality(
        policies=_policies(judged),
        ladder=mean_over_pools(judged, [one.ladder for one in judged]),
        pair=pair and judge_pair([one.trial for one in judged], *pair),
        pools=pools,
        n=sum(one.n for one in judged),
        left_out=len(graded.prompts) - sum(pool.calibrating + pool.judging for pool in pools),
    )


def _policies(judged: Sequence[Judgement]) -> dict[str, Figures]:
    figures = [
        {
            name: one.figures_of(curve)
            for name, curve in {**one.curves, **baselines(one.trial)}.items()
        }
        for one in judged
    ]
    everywhere = [name for name in figures[0] if all(name in one for one in figures)]
    return {name: mean_over_pools(judged, [one[name] for one in figures]) for name in everywhere}


def _facts(one: Judgement) -> PoolFacts:
    return PoolFacts(
        models=len(one.trial.models),
        calibrating=len(one.trial.prompts[0]),
        judging=one.n,
        low=one.range.low,
        high=one.range.high,
        best=one.trial.models[one.best],
        best_quality=one.best_quality,
    )
