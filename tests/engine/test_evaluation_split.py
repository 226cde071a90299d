import numpy as np
import pytest

from routing.engine.evaluation.data import BadData, graded
from routing.engine.evaluation.split import folds, pools, split
from tests.engine.graded import make_prompt, make_scores

PROMPTS = tuple(make_prompt(f"p{at:03}", f"text {at}") for at in range(100))


def test_share_of_the_texts_calibrates():
    calibration, rest = split(PROMPTS, 0.3, seed=0)

    assert (len(calibration), len(rest)) == (30, 70)
    assert sorted([*calibration, *rest]) == list(range(100))


def test_equal_texts_stay_on_one_side():
    twice = tuple(make_prompt(f"p{at}", f" Text {at % 20}\n".upper()) for at in range(20))
    prompts = (*twice, *(make_prompt(f"q{at}", f"text  {at}") for at in range(20)))

    calibration, rest = split(prompts, 0.5, seed=0)

    assert not set(calibration % 20) & set(rest % 20)


def test_same_seed_splits_alike_in_any_order():
    chosen, _ = split(PROMPTS, 0.3, seed=1)
    backwards, _ = split(PROMPTS[::-1], 0.3, seed=1)

    assert {PROMPTS[at].id for at in chosen} == {PROMPTS[::-1][at].id for at in backwards}


def test_another_seed_splits_otherwise():
    assert split(PROMPTS, 0.3, seed=1)[0].tolist() != split(PROMPTS, 0.3, seed=2)[0].tolist()


def test_folds_divide_all_rows_and_no_text():
    prompts = (*PROMPTS, *(make_prompt(f"q{at}", f"Text  {at}") for at in range(100)))

    parts = folds(prompts, 10, seed=0)

    assert sorted(np.concatenate(parts).tolist()) == list(range(200))
    assert [len(part) for part in parts] == [20] * 10
    assert all(set(part[part < 100] + 100) == set(part[part >= 100]) for part in parts)
    assert len(folds(prompts[:3], 10, seed=0)) == 3


def test_models_graded_on_other_prompts_are_pools_of_their_own():
    scores = [
        *make_scores(PROMPTS[:60], models=("a", "b")),
        *make_scores(PROMPTS[60:], models=("c", "d", "e")),
    ]

    found = pools(graded(PROMPTS, scores))

    assert [pool.models.tolist() for pool in found] == [[0, 1], [2, 3, 4]]
    assert [len(pool.rows) for pool in found] == [60, 40]


def test_model_graded_on_a_few_prompts_does_not_divide_them():
    scores = [*make_scores(PROMPTS), *make_scores(PROMPTS[:5], models=("rare",))]

    (pool,) = pools(graded(PROMPTS, scores))

    assert len(pool.rows) == 100


def test_pool_has_no_gaps():
    lots = np.random.default_rng(0)
    scores = make_scores(PROMPTS, models=("a", "b", "c"))
    data = graded(PROMPTS, [one for one in scores if lots.random() < 0.8])

    found = pools(data)

    assert all(np.isfinite(data.scores[np.ix_(one.rows, one.models)]).all() for one in found)


def test_too_few_common_prompts_are_refused():
    with pytest.raises(BadData, match="No 20 prompts"):
        pools(graded(PROMPTS, make_scores(PROMPTS[:19])))
