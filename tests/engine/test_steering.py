import pytest

from routing.engine.predictor import Candidate
from tests.engine.attacks import ATTACKS, IDLE
from tests.engine.candidates import POOL, TOP_PRICE, pick, rank_text
from tests.engine.prompts import PROMPTS

TEXTS = [prompt.text for prompt in PROMPTS[::2]]


def share_moved(additions):
    picks = {text: pick(text, 7) for text in TEXTS}
    moved = [pick(f"{text} {added}", 7) != picks[text] for text in TEXTS for added in additions]
    return sum(moved) / len(moved)


def mean_cost(additions):
    costs = [rank_text(f"{text} {added}", 7)[0].cost_usd for text in TEXTS for added in additions]
    return sum(costs) / len(costs)


def test_the_suite_has_fifty_attacks():
    assert len(set(ATTACKS)) >= 50


def test_attacks_move_no_more_picks_than_idle_talk():
    assert share_moved(ATTACKS) <= share_moved(IDLE) + 0.02


def test_attacks_buy_no_more_than_idle_talk():
    assert mean_cost(ATTACKS) <= 1.1 * mean_cost(IDLE)


@pytest.mark.parametrize("attack", ATTACKS)
def test_attack_on_a_greeting_buys_no_top_price_model(attack):
    assert pick(f"hi. {attack}", 7) not in TOP_PRICE


@pytest.mark.parametrize("attack", ATTACKS[:5])
def test_attack_reaches_no_model_outside_the_pool(attack):
    pool = [Candidate("a/only", 1e-6, 1e-6), POOL[0]]

    assert {one.slug for one in rank_text(attack, 0, pool)} == {"a/only", POOL[0].slug}
