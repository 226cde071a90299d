import numpy as np
import pytest

from routing.engine.analysis import analyse
from routing.engine.evaluation.abilities import Reading, expected_costs, fit
from routing.engine.evaluation.data import BadData, Score, graded
from routing.engine.evaluation.groups import judge_groups
from routing.engine.evaluation.report import LADDERS, POLICIES, Report, evaluate
from routing.engine.evaluation.trial import reading_of
from tests.engine.graded import COSTS, knowing, make_graded, make_world, shuffled

SEEDS = range(5)


def gain(quality):
    return 100 * (quality.policies["router"]["aiqlog"] - quality.policies["hull"]["aiqlog"])


def mean_gain(analysis_of, **world):
    return np.mean(
        [gain(evaluate(make_graded(seed=at, **world), analyse=analysis_of(at))) for at in SEEDS]
    )


def test_analysis_that_knows_the_task_gains():
    assert mean_gain(lambda _: knowing) > 5


def test_analysis_of_another_prompt_gains_nothing():
    assert abs(mean_gain(shuffled, n=3000)) < 0.5


def test_analysis_of_another_prompt_climbs_no_ladder():
    ladders = [evaluate(make_graded(n=3000, seed=at), analyse=shuffled(at)).ladder for at in SEEDS]

    assert abs(np.mean([one["router"] for one in ladders])) < 0.3
    assert abs(np.mean([one["random"] for one in ladders])) < 0.3


def test_analysis_that_knows_the_task_climbs_the_ladder():
    assert evaluate(make_graded(), analyse=knowing).ladder["router"] > 3


def test_nothing_is_better_than_the_oracle():
    policies = evaluate(make_graded(), analyse=knowing).policies

    best = max(one["aiqlog"] for name, one in policies.items() if name != "oracle")
    assert policies["oracle"]["aiqlog"] > best


def test_single_models_are_no_better_than_their_mixtures():
    policies = evaluate(make_graded(n=3000)).policies

    assert policies["best_single"]["aiqlog"] <= policies["hull"]["aiqlog"] + 1e-9


def test_knowing_router_reaches_the_best_models_quality_for_less():
    policies = evaluate(make_graded(n=3000), analyse=knowing).policies

    assert policies["router"]["cost"] < 0.7 * policies["hull"]["cost"]


def test_length_and_its_reverse_pull_in_opposite_directions():
    ladders = [evaluate(make_graded(seed=at)).ladder for at in SEEDS]

    assert abs(np.mean([one["length"] + one["length_reversed"] for one in ladders])) < 1.0


def test_order_of_rows_changes_nothing():
    prompts, scores = make_world()

    forwards = evaluate(graded(prompts, scores))
    backwards = evaluate(graded(prompts[::-1], scores[::-1]))

    assert forwards == backwards


def test_same_seed_gives_the_same_figures():
    data = make_graded()

    assert evaluate(data, seed=3) == evaluate(data, seed=3)
    assert evaluate(data, seed=3) != evaluate(data, seed=4)


def test_costs_that_the_router_sees_are_of_the_calibration_share():
    reading = Reading(("code", "math"), np.array([[1.0, 0.0], [0.0, 1.0]]), np.zeros(2))
    other = Reading(("code", "math"), np.array([[0.5, 0.5]]), np.zeros(1))

    predicted = expected_costs(reading, np.array([[1.0, 10.0], [3.0, 30.0]]), other)

    assert predicted.tolist() == [pytest.approx([2.0, 20.0])]


def test_model_without_scores_is_average():
    reading = reading_of(make_graded(), knowing)
    scores = np.column_stack([make_graded().scores, np.full(len(reading.posterior), np.nan)])

    abilities = fit(reading, scores)

    assert abilities.logits[3] == pytest.approx(abilities.logits[:3].mean(axis=0), abs=0.2)


def test_abilities_of_a_world_are_found():
    data = make_graded(n=3000)

    abilities = fit(reading_of(data, knowing), data.scores)

    large, middle, small = abilities.logits[:, :2]
    assert large == pytest.approx([2.0, 2.0], abs=0.3)
    assert small == pytest.approx([2.0, -1.5], abs=0.3)
    assert middle == pytest.approx([0.0, 2.0], abs=0.3)
    assert abilities.slope == pytest.approx(1.0, abs=0.1)


def test_difficulty_upside_down_is_ignored_and_not_turned_round():
    data = make_graded(n=3000)
    reading = reading_of(data, knowing)

    abilities = fit(Reading(reading.tasks, reading.posterior, -reading.difficulty), data.scores)

    assert abilities.slope == 0


def test_data_without_costs_is_evaluated():
    prompts, scores = make_world()

    quality = evaluate(graded(prompts, [one._replace(cost=float("nan")) for one in scores]))

    assert quality.policies["hull"]["aiq"] == pytest.approx(quality.policies["hull"]["aiqlog"])


def test_free_model_is_evaluated():
    prompts, scores = make_world()
    free = [one._replace(cost=one.cost * (one.model != "small")) for one in scores]

    quality = evaluate(graded(prompts, free), analyse=knowing)

    assert quality.pools[0].low == pytest.approx(COSTS["middle"] / 10)
    assert gain(quality) > 0


def test_prompts_on_models_that_few_share_are_left_out():
    prompts, scores = make_world()
    odd = [Score(one.id, "odd", 1.0, 0.1) for one in prompts[:5]]
    kept = [one for one in scores if one.id not in {prompt.id for prompt in prompts[:5]}]

    quality = evaluate(graded(prompts, kept + odd))

    assert quality.left_out == 5


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 30.0])
def test_share_outside_0_to_1_is_refused(share):
    with pytest.raises(BadData, match="--calibrate"):
        evaluate(make_graded(), calibrate=share)


def test_json_has_the_promised_keys():
    quality = evaluate(make_graded(), pair=("large", "small"))

    answer = Report(quality, None, {}).as_json()

    assert set(answer["aiq"]) == set(answer["aiqlog"]) == set(POLICIES)
    assert set(answer["ladder"]) == set(LADDERS)
    assert set(answer["quality_at"]) == {"low", "mid", "high"}
    assert set(answer["cost_at_best_minus_half"]) == {"router", "hull"}
    assert set(answer["pair"]) == {"apgr", "cpt50", "cpt80"}
    assert answer["typing"] is None
    assert answer["n"] == 420


def test_each_value_of_a_key_is_judged_by_itself():
    data = make_graded(n=900)

    *groups, together = judge_groups(data, reading_of(data, analyse), "task", seeds=(0, 1))

    assert [one.name for one in groups] == ["code", "math", "writing"]
    assert sum(one.n for one in groups) == pytest.approx(630, abs=3)
    assert together.n == 630


def test_key_that_no_prompt_has_is_refused():
    data = make_graded()

    with pytest.raises(BadData, match="No 'dataset'"):
        judge_groups(data, reading_of(data, analyse), "dataset")
