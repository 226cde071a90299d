"""RouteLLM's figures for two models: how much of the strong one's lead few calls to it recover.

Source: Ong et al., RouteLLM, arXiv 2406.18665, section 3; procedure as in its evaluation code
(lm-sys/RouteLLM, routellm/evals): thresholds at ten equal quantiles of the score.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from routing.engine.evaluation.data import BadData
from routing.engine.evaluation.trial import Trial

Floats = NDArray[np.float64]

QUANTILES = 10


class PairFigures(NamedTuple):
    """apgr: share of the lead recovered, averaged over the share of strong calls (random: .5).

    cpt50, cpt80: per cent of calls to the strong model that recover half and four fifths of its
    lead (random: 50 and 80). weak, strong: their mean scores on the n prompts that judge.
    """

    apgr: float
    cpt50: float
    cpt80: float
    weak: float
    strong: float
    n: int


def judge_pair(trials: Sequence[Trial], strong: str, weak: str) -> PairFigures:
    """Route between two models by the predicted gain of the stronger one.

    Raises BadData if no pool has both, or if the strong one is not the better.
    """
    both = [one for one in trials if strong in one.models and weak in one.models]
    if not both:
        names = sorted({name for one in trials for name in one.models})
        raise BadData(
            f"--pair {strong} {weak}: not graded on the same prompts; the models are "
            f"{', '.join(names)}."
        )
    columns = [(one, one.models.index(strong), one.models.index(weak)) for one in both]
    gain = np.concatenate(
        [one.success.rest[:, s] - one.success.rest[:, w] for one, s, w in columns]
    )
    scores = [
        np.concatenate([one.table.scores.rest[:, (s, w)[which]] for one, s, w in columns])
        for which in (0, 1)
    ]
    if scores[0].mean() <= scores[1].mean():
        raise BadData(
            f"--pair {strong} {weak}: the first scores {scores[0].mean():.3f}, the second "
            f"{scores[1].mean():.3f}; give the stronger one first."
        )
    return pair_figures(gain, scores[0], scores[1])


def pair_figures(score: Floats, strong: Floats, weak: Floats) -> PairFigures:
    """Compute APGR and CPT of a score that is high where the strong model is needed, all (n,).

    At each of the eleven edges of ten equal quantiles, prompts at or above the edge go to the
    strong model (above it, at the last). The area under quality over share of strong calls is by
    the trapezium rule, and the share at a quality is interpolated in order of that share.
    """
    edges = np.quantile(score, np.linspace(0, 1, QUANTILES + 1))
    chosen = [score >= edge for edge in edges[:-1]] + [score > edges[-1]]
    share = np.array([one.mean() for one in chosen])
    quality = np.array([np.where(one, strong, weak).mean() for one in chosen])
    order = np.argsort(share, kind="stable")
    share, quality = share[order], quality[order]
    low, high = float(weak.mean()), float(strong.mean())
    recovered = (quality - low) / (high - low)
    width, mean = np.diff(share), (recovered[1:] + recovered[:-1]) / 2
    # At scores all alike no share lies between none and all: RouteLLM divides by the width too.
    apgr = float((width * mean).sum() / width.sum())
    cpt50, cpt80 = (100 * float(np.interp(part, recovered, share)) for part in (0.5, 0.8))
    return PairFigures(apgr, cpt50, cpt80, low, high, len(score))
