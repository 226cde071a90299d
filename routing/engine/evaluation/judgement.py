"""What a way to read prompts is worth: its figures beside those of simpler policies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from routing.engine.evaluation.abilities import Reading
from routing.engine.evaluation.curves import (
    Curve,
    Range,
    cost_to_reach,
    mean_over_cost,
    mean_over_log_cost,
)
from routing.engine.evaluation.data import Graded
from routing.engine.evaluation.ladder import always, gain, ladder
from routing.engine.evaluation.policies import (
    Pair,
    best_affordable,
    oracle,
    singles,
    steps,
    sweep,
)
from routing.engine.evaluation.trial import Trial, trials

Figures = dict[str, float]

# Where on the range of log cost the quality is read.
PLACES = {"low": 1 / 3, "mid": 1 / 2, "high": 2 / 3}

# "As good as the best model" allows this much less: half a point.
HALF_A_POINT = 0.005


@dataclass(frozen=True, slots=True)
class Judgement:
    """Curves by policy on one pool of models, over one range of costs, and gains on the ladder."""

    trial: Trial
    range: Range
    best: int
    curves: Mapping[str, Curve]
    ladder: Figures

    @property
    def n(self) -> int:
        return self.trial.n

    @property
    def best_quality(self) -> float:
        return float(self.trial.table.scores.rest[:, self.best].mean())

    @property
    def best_cost(self) -> float:
        return float(self.trial.table.costs.rest[:, self.best].mean())

    def aiqlog(self) -> Figures:
        return {name: mean_over_log_cost(one, self.range) for name, one in self.curves.items()}

    def figures_of(self, curve: Curve) -> Figures:
        """Return the areas, the qualities on the way and the cost of the best quality."""
        places = self.range.low * (self.range.high / self.range.low) ** np.array([*PLACES.values()])
        quality = dict(zip(PLACES, curve.at(places).tolist(), strict=True))
        return {
            "aiq": mean_over_cost(curve, self.range),
            "aiqlog": mean_over_log_cost(curve, self.range),
            **quality,
            "cost": self._cost_of_best(curve),
        }

    def _cost_of_best(self, curve: Curve) -> float:
        """Return the share of the best single model's cost that its quality less half a point
        takes; 1 for a policy that never reaches it, because then one calls that model."""
        cost = cost_to_reach(curve, self.best_quality - HALF_A_POINT, self.range)
        if cost is None or self.best_cost == 0:
            return 1.0
        return min(cost / self.best_cost, 1.0)


def judge(graded: Graded, reading: Reading, *, calibrate: float, seed: int) -> list[Judgement]:
    """Judge a reading of the prompts on each pool of models; row i of reading is prompt i."""
    return [_judge(one) for one in trials(graded, reading, calibrate=calibrate, seed=seed)]


def mean_over_pools(judgements: Sequence[Judgement], figures: Sequence[Figures]) -> Figures:
    """Average figures over pools by their number of prompts."""
    weights = [one.n for one in judgements]
    return {
        name: float(np.average([one[name] for one in figures], weights=weights))
        for name in figures[0]
    }


def _judge(trial: Trial) -> Judgement:
    table, blind = trial.table, _blind_scores(trial)
    curves = {
        "router": table.judge(sweep(table, trial.success, trial.costs)),
        "hull": table.judge(singles(table)),
        "best_single": best_affordable(table),
        **{name: table.judge(steps(table, score)) for name, score in blind.items()},
        "oracle": oracle(table),
    }
    ladders = {
        "router": ladder(table, lambda weak, strong: gain(trial.success.rest, weak, strong)),
        **{name: ladder(table, always(score.rest)) for name, score in blind.items()},
        "difficulty": ladder(table, always(trial.difficulty.rest)),
    }
    return Judgement(trial, table.range(), int(table.static()[-1]), curves, ladders)


def _blind_scores(trial: Trial) -> dict[str, Pair]:
    """Return what simpler policies order prompts by: chance, and the number of characters."""
    lots = np.random.default_rng(trial.seed)
    return {
        "random": trial.per_prompt(lambda _: float(lots.random())),
        "length": trial.per_prompt(lambda prompt: float(len(prompt.text))),
        "length_reversed": trial.per_prompt(lambda prompt: -float(len(prompt.text))),
    }
