import numpy as np
import pytest

from routing.engine.evaluation.data import BadData
from routing.engine.evaluation.pair import pair_figures
from routing.engine.evaluation.report import evaluate
from tests.engine.graded import knowing, make_graded

# The strong model is always right; the weak one on the first half, of lower score.
SCORE = np.arange(1000.0)
STRONG = np.ones(1000)
WEAK = (SCORE < 500).astype(float)


def test_score_that_knows_recovers_the_lead_with_half_of_the_calls():
    figures = pair_figures(SCORE, STRONG, WEAK)

    # A line up to half of the calls, then flat: 0.25 + 0.5.
    assert figures.apgr == pytest.approx(0.75, abs=0.01)
    assert figures.cpt50 == pytest.approx(25, abs=0.5)
    assert figures.cpt80 == pytest.approx(40, abs=0.5)


def test_score_upside_down_recovers_it_last():
    figures = pair_figures(-SCORE, STRONG, WEAK)

    assert figures.apgr == pytest.approx(0.25, abs=0.01)
    assert figures.cpt50 == pytest.approx(75, abs=0.5)


def test_random_score_recovers_half():
    lots = np.random.default_rng(0).random(1000)

    figures = pair_figures(lots, STRONG, WEAK)

    assert figures.apgr == pytest.approx(0.5, abs=0.05)
    assert figures.cpt50 == pytest.approx(50, abs=6)


def test_score_all_alike_is_as_good_as_chance():
    assert pair_figures(np.zeros(1000), STRONG, WEAK).apgr == pytest.approx(0.5)


def test_pair_of_a_world_is_routed():
    pair = evaluate(make_graded(), analyse=knowing, pair=("large", "small")).pair

    assert pair.apgr > 0.6
    assert pair.strong > pair.weak


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        (("large", "nobody"), "the models are large, middle, small"),
        (("small", "large"), "give the stronger one first"),
    ],
)
def test_bad_pair_is_named(pair, said):
    with pytest.raises(BadData, match=said):
        evaluate(make_graded(), pair=pair)
