import math
from itertools import pairwise
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.engine.analysis import analyse
from routing.engine.conversation import read
from routing.engine.predictor import Candidate, Predictions, predict
from routing.engine.selection import DEFAULT_TRADEOFF, PRICE_OF_MONEY, TIERS, rank
from tests.engine.candidates import POOL, TOP_PRICE, WEAKEST, analyse_text, pick, rank_text
from tests.engine.prompts import PROMPTS

TEXTS = {prompt.name: prompt.text for prompt in PROMPTS}
DIAL = range(11)

steady = settings(deadline=None, derandomize=True)

qualities = st.one_of(st.floats(0, 1), st.integers(0, 20).map(lambda n: n / 20))
costs = st.one_of(
    st.just(0.0),
    st.floats(1e-12, 1e3),
    st.sampled_from([0.001, 0.0010000001, 0.001000000000001, 0.002, 0.5]),
)


def make_prediction(slug="a/b", quality=0.5, cost_usd=0.01):
    return slug, quality, cost_usd


def together(predictions):
    slugs, quality, cost_usd = zip(*sorted(predictions), strict=True)
    quality = np.array(quality)
    return Predictions(slugs, quality, quality, quality, np.array(cost_usd))


predictions = st.lists(st.tuples(qualities, costs), min_size=1, max_size=12).map(
    lambda pairs: together((f"m/{at}", *pair) for at, pair in enumerate(pairs))
)
prices = st.floats(0, 1e-3)
pools = st.lists(
    st.one_of(
        st.sampled_from(POOL),
        st.builds(
            Candidate, st.sampled_from([one.slug for one in POOL]), prices, prices, st.just(0.0)
        ),
        st.builds(Candidate, st.just("nobody/unknown"), prices, prices, st.floats(0, 0.1)),
    ),
    min_size=1,
    max_size=30,
)
texts = st.one_of(
    st.sampled_from(list(TEXTS.values())),
    st.text(max_size=200),
    st.lists(st.sampled_from(" ".join(TEXTS.values()).split()), max_size=80).map(" ".join),
)


def first_slug(predictions, tradeoff):
    return rank(together(predictions), tradeoff)[0].slug


def assert_monotone(predictions):
    firsts = [rank(predictions, tradeoff)[0] for tradeoff in DIAL]
    assert all(one.cost_usd >= other.cost_usd for one, other in pairwise(firsts))
    assert all(one.quality >= other.quality for one, other in pairwise(firsts))


@steady
@given(predictions)
def test_higher_dial_never_raises_cost_or_quality(predictions):
    assert_monotone(predictions)


@steady
@given(texts, pools, st.one_of(st.none(), st.integers(1, 10_000)))
def test_higher_dial_never_raises_cost_or_quality_of_real_prompts(text, pool, max_output_tokens):
    conversation = read([{"role": "user", "content": text}], max_output_tokens=max_output_tokens)

    assert_monotone(predict(analyse(conversation), pool))


@steady
@given(texts, pools, st.sampled_from(DIAL))
def test_same_input_has_the_same_order(text, pool, tradeoff):
    assert rank_text(text, tradeoff, pool) == rank_text(text, tradeoff, pool)


@steady
@given(texts, st.permutations(POOL), st.sampled_from(DIAL))
def test_order_of_the_pool_does_not_matter(text, shuffled, tradeoff):
    assert rank_text(text, tradeoff, shuffled) == rank_text(text, tradeoff, POOL)


@steady
@given(predictions, st.sampled_from(DIAL))
def test_every_candidate_is_ranked_once(predictions, tradeoff):
    ranked = rank(predictions, tradeoff)

    assert sorted(one.slug for one in ranked) == sorted(predictions.slugs)
    assert all(one.score >= other.score for one, other in pairwise(ranked))


def test_zero_takes_the_best_whatever_it_costs():
    best = make_prediction("a/best", quality=0.91, cost_usd=9.0)

    assert first_slug([make_prediction(quality=0.90, cost_usd=1e-9), best], 0) == "a/best"


def test_near_equals_differ_at_zero_alone():
    better = make_prediction("a/better", quality=0.9049, cost_usd=0.002)
    near = make_prediction("a/near", quality=0.8951, cost_usd=0.001)

    assert first_slug([better, near], 0) == "a/better"
    assert first_slug([better, near], DEFAULT_TRADEOFF) == "a/near"


def test_ten_takes_the_cheapest_whatever_it_is_worth():
    cheapest = make_prediction("a/cheapest", quality=0.01, cost_usd=0.00999999)

    assert first_slug([make_prediction(quality=1.0, cost_usd=0.01), cheapest], 10) == "a/cheapest"


def test_score_is_quality_less_the_price_of_its_cost():
    (ranked,) = rank(together([make_prediction(quality=0.9, cost_usd=0.01)]), 7)

    assert ranked.score == pytest.approx(0.9 - PRICE_OF_MONEY[7] / 1e8 * math.log(2), abs=1e-6)


def test_score_at_ten_is_the_cost_alone():
    (ranked,) = rank(together([make_prediction(quality=0.9, cost_usd=0.01)]), 10)

    assert ranked.score == pytest.approx(-math.log(2), abs=1e-5)


def test_ten_takes_the_better_of_two_as_cheap():
    assert first_slug([make_prediction("a/a", 0.4), make_prediction("a/b", 0.5)], 10) == "a/b"


@pytest.mark.parametrize("tradeoff", DIAL)
def test_tie_goes_to_the_cheaper(tradeoff):
    predictions = [make_prediction("a/dearer", cost_usd=0.010), make_prediction("z/z", 0.5, 0.009)]

    assert first_slug(predictions, tradeoff) == "z/z"


@pytest.mark.parametrize("tradeoff", DIAL)
def test_tie_of_equals_goes_by_slug(tradeoff):
    assert first_slug([make_prediction("z/z"), make_prediction("a/a")], tradeoff) == "a/a"


@pytest.mark.parametrize("tradeoff", DIAL)
def test_tie_of_equals_goes_by_slug_whatever_the_order_of_the_pool(tradeoff):
    pool = [Candidate("z/z", 1e-6, 1e-6), Candidate("a/a", 1e-6, 1e-6)]

    assert pick("hi", tradeoff, pool) == "a/a"


@pytest.mark.parametrize("tradeoff", DIAL)
def test_free_model_is_the_cheapest(tradeoff):
    free = make_prediction("z/free", quality=0.5, cost_usd=0.0)

    assert first_slug([make_prediction("a/paid", cost_usd=1e-9), free], tradeoff) == "z/free"


@pytest.mark.parametrize("tradeoff", [-1, 11, 100])
def test_dial_beyond_its_ends_is_refused(tradeoff):
    with pytest.raises(ValueError, match=rf"Tradeoff is {tradeoff}; .* 0 to 10"):
        rank(together([make_prediction()]), tradeoff)


@pytest.mark.parametrize("tradeoff", DIAL)
@pytest.mark.parametrize("cost_usd", [-0.01, float("nan"), float("inf")])
def test_impossible_cost_is_refused(cost_usd, tradeoff):
    with pytest.raises(ValueError, match=r"Cost of a/b is"):
        rank(together([make_prediction(cost_usd=cost_usd)]), tradeoff)


def test_nothing_is_ranked_as_nothing():
    assert rank(predict(analyse_text("hi"), []), DEFAULT_TRADEOFF) == []


def test_money_grows_dearer_along_the_dial():
    assert PRICE_OF_MONEY[0] == 0
    assert len(PRICE_OF_MONEY) == 10
    assert all(one < other for one, other in pairwise(PRICE_OF_MONEY))


def test_tiers_are_the_documented_positions():
    assert TIERS == {"low": 9, "medium": 7, "high": 5, "xhigh": 3, "max": 1}
    assert TIERS["medium"] == DEFAULT_TRADEOFF


@pytest.mark.parametrize(
    "text",
    [
        TEXTS["greeting"],
        TEXTS["thanks"],
        TEXTS["unit-conversion"],
        TEXTS["temperature"],
        TEXTS["capital"],
        TEXTS["translation"],
        "Write a short title for this conversation: user asks to prove Goldbach's conjecture",
    ],
)
def test_trifle_never_goes_to_a_top_price_model_at_the_default(text):
    assert pick(text, DEFAULT_TRADEOFF) not in TOP_PRICE


@pytest.mark.parametrize(
    "name", ["hard-proof", "topology", "race-condition", "lock-free", "distributed"]
)
def test_hard_task_never_goes_to_the_weakest_at_the_default(name):
    assert pick(TEXTS[name], DEFAULT_TRADEOFF) not in WEAKEST


@pytest.mark.parametrize("tradeoff", [0, 3, 5])
@pytest.mark.parametrize("name", ["hard-proof", "race-condition"])
def test_hard_task_goes_to_a_strong_model_where_quality_counts(name, tradeoff):
    strong = {"openai/gpt-5.2-pro", "google/gemini-3.1-pro-preview", "anthropic/claude-opus-4.6"}

    assert pick(TEXTS[name], tradeoff) in strong | {"openai/gpt-5.2"}


def test_each_step_of_the_dial_divides_the_typical_spend_by_about_the_same():
    pools = [predict(analyse_text(text), POOL) for text in TEXTS.values()]

    typical = [fmean(math.log(rank(pool, at)[0].cost_usd) for pool in pools) for at in DIAL]

    assert all(math.log(1.4) < one - other < math.log(4) for one, other in pairwise(typical))
    assert typical[0] - typical[DEFAULT_TRADEOFF] > math.log(20)


def test_bill_falls_at_each_step_of_the_dial():
    pools = [predict(analyse_text(text), POOL) for text in TEXTS.values()]

    spend = [sum(rank(pool, at)[0].cost_usd for pool in pools) for at in DIAL]

    assert all(one > other for one, other in pairwise(spend))


@pytest.mark.parametrize(
    ("text", "variant"),
    [
        (TEXTS["hard-proof"], TEXTS["hard-proof"].upper()),
        (TEXTS["hard-proof"], TEXTS["hard-proof"].replace("integers", "integres")),
        (TEXTS["race-condition"], TEXTS["race-condition"].replace(" ", "  ")),
        (TEXTS["race-condition"], TEXTS["race-condition"].replace("balance", "blaance")),
        (TEXTS["sql"], TEXTS["sql"].lower()),
        (TEXTS["sql"], f"\n\n{TEXTS['sql']}\n"),
        (TEXTS["greeting"], " Hi "),
        (TEXTS["greeting"], "HI"),
        (TEXTS["capital"], "what is the capital of australia"),
        (TEXTS["unit-conversion"], "convert 5 miles to kilometers"),
        (TEXTS["translation"], "translate to french: Where is the nearest trian station ?"),
        (TEXTS["cover-letter"], TEXTS["cover-letter"].replace("children's", "childrens")),
    ],
)
def test_typo_case_and_white_space_do_not_move_the_pick(text, variant):
    assert pick(variant, DEFAULT_TRADEOFF) == pick(text, DEFAULT_TRADEOFF)
