import numpy as np
import pytest

from routing.engine.evaluation.curves import (
    Curve,
    Range,
    cost_to_reach,
    curve,
    hull,
    mean_over_cost,
    mean_over_log_cost,
)

LINE = Curve(np.array([1.0, 3.0]), np.array([0.2, 0.6]))


def make_points(seed, n=40):
    lots = np.random.default_rng(seed)
    return lots.integers(1, 20, n) / 10, lots.integers(0, 20, n) / 20


@pytest.mark.parametrize("seed", range(20))
def test_hull_rises_and_is_concave(seed):
    costs, quality = make_points(seed)

    chosen = hull(costs, quality)

    slopes = np.diff(quality[chosen]) / np.diff(costs[chosen])
    assert (slopes > 0).all()
    assert (np.diff(slopes) < 0).all()


@pytest.mark.parametrize("seed", range(20))
def test_hull_lies_above_every_point(seed):
    costs, quality = make_points(seed)

    chosen = hull(costs, quality)

    above = curve(costs[chosen], quality[chosen]).at(costs)
    assert (above >= quality - 1e-12).all()


@pytest.mark.parametrize("seed", range(20))
def test_hull_does_not_depend_on_the_order_of_points(seed):
    costs, quality = make_points(seed)
    order = np.random.default_rng(seed).permutation(len(costs))

    one, other = hull(costs, quality), order[hull(costs[order], quality[order])]

    assert [(costs[at], quality[at]) for at in one] == [(costs[at], quality[at]) for at in other]


def test_hull_leaves_out_what_a_better_one_costs_no_more_than():
    assert hull(np.array([1.0, 1.0, 2.0]), np.array([0.5, 0.4, 0.5])).tolist() == [0]


def test_money_beyond_the_last_point_buys_nothing():
    assert LINE.at(np.array([0.5, 2.0, 9.0])).tolist() == pytest.approx([0.2, 0.4, 0.6])


def test_mean_over_cost_of_a_line_is_its_middle():
    assert mean_over_cost(LINE, Range(1, 3)) == pytest.approx(0.4)


def test_mean_over_log_cost_weighs_every_doubling_alike():
    # The mean of a + b c over log cost from 1 to 3 is a + b (3 - 1) / ln 3.
    expected = 0.0 + 0.2 * 2 / np.log(3)

    assert mean_over_log_cost(LINE, Range(1, 3)) == pytest.approx(expected, abs=1e-6)


def test_cost_to_reach_reads_the_line():
    assert cost_to_reach(LINE, 0.4, Range(1, 3)) == pytest.approx(2.0, rel=1e-3)


def test_cost_to_reach_what_is_never_reached_is_nothing():
    assert cost_to_reach(LINE, 0.7, Range(1, 3)) is None
