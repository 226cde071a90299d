from dataclasses import replace

import numpy as np
import pytest

from routing.engine.evaluation.policies import Pair, Table, singles, steps, sweep
from routing.engine.evaluation.split import split
from routing.engine.evaluation.trial import reading_of, trials
from tests.engine.graded import knowing, make_graded


def make_table(quality, costs, n=2000, seed=0):
    """Models whose scores are drawn by lot around their quality."""
    lots = np.random.default_rng(seed)
    sides = [(lots.random((n, len(quality))) < quality).astype(float) for _ in range(2)]
    return Table(Pair(*sides), Pair(*(np.tile(np.array(costs), (n, 1)) for _ in range(2))))


def test_luck_on_the_calibration_share_is_not_counted():
    tables = [make_table([0.5] * 30, np.arange(1.0, 31), n=200, seed=at) for at in range(10)]

    best = [table.judge(singles(table)).quality[-1] for table in tables]

    # The best of 30 such means is about two standard errors, 7 points, above a half.
    assert np.mean(best) == pytest.approx(0.5, abs=0.025)


def test_static_hull_goes_from_the_cheapest_to_the_best():
    table = make_table([0.9, 0.2, 0.3, 0.7], [9.0, 1.0, 5.0, 5.0])

    assert table.static().tolist() == [1, 3, 0]
    assert (table.range().low, table.range().high) == (1.0, 9.0)


def test_model_that_a_better_one_hardly_costs_more_than_is_of_no_use():
    table = make_table([0.2, 0.8], [1.0, 1.05])

    assert table.static().tolist() == [1]
    assert table.range().high == pytest.approx(1.1 * 1.05)


def test_router_that_knows_nothing_uses_one_model_at_each_price():
    table = make_table([0.2, 0.6, 0.7], [1.0, 2.0, 3.0])
    success = Pair(*(np.tile([0.2, 0.6, 0.7], (2000, 1)) for _ in range(2)))

    family = sweep(table, success, table.costs)

    assert (family.rest == family.rest[:, :1]).all()
    assert set(family.rest[:, 0]) <= {0, 1, 2}


def test_highest_scores_go_to_the_stronger_model():
    table = make_table([0.2, 0.8], [1.0, 2.0])
    score = Pair(*(np.arange(2000.0) for _ in range(2)))

    family = steps(table, score)

    assert sorted(family.rest.mean(axis=1)) == pytest.approx(np.linspace(0, 1, 11), abs=1e-3)
    assert (np.diff(family.rest, axis=1) >= 0).all()


def test_costs_of_the_judged_prompts_are_not_seen():
    data = make_graded()
    reading = reading_of(data, knowing)
    _, judged = split(data.prompts, 0.3, seed=0)
    costs = data.costs.copy()
    costs[judged] *= np.arange(1, len(judged) + 1)[:, None]

    (one,) = trials(data, reading, calibrate=0.3, seed=0)
    (other,) = trials(replace(data, costs=costs), reading, calibrate=0.3, seed=0)

    assert (one.costs.rest == other.costs.rest).all()
    assert (one.success.rest == other.success.rest).all()


def test_grades_of_a_calibrating_prompt_are_not_what_predicts_it():
    data = make_graded()
    reading = reading_of(data, knowing)
    calibrating, _ = split(data.prompts, 0.3, seed=0)
    scores, costs = data.scores.copy(), data.costs.copy()
    scores[calibrating[7]] = 1 - scores[calibrating[7]]
    costs[calibrating[7]] *= 50

    (one,) = trials(data, reading, calibrate=0.3, seed=0)
    (other,) = trials(replace(data, scores=scores, costs=costs), reading, calibrate=0.3, seed=0)

    assert (one.success.calibration[7] == other.success.calibration[7]).all()
    assert (one.costs.calibration[7] == other.costs.calibration[7]).all()
    assert (one.success.calibration != other.success.calibration).any()


def test_router_falls_back_to_single_models_where_prompts_say_nothing():
    table = make_table([0.2, 0.6, 0.7], [1.0, 2.0, 3.0])
    lots = np.random.default_rng(1)
    noise = Pair(*(lots.random((2000, 3)) for _ in range(2)))

    family = sweep(table, noise, table.costs)

    static = singles(table).rest
    assert all((family.rest == one).all(axis=1).any() for one in static)
    hull, router = table.judge(singles(table)), table.judge(family)
    assert router.at(hull.costs) == pytest.approx(hull.quality, abs=0.005)
