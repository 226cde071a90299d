import pytest

from routing.engine.analysis import analyse
from routing.engine.conversation import read
from routing.engine.predictor import Candidate, predict
from routing.engine.tasks import TASKS
from tests.engine.candidates import POOL, analyse_text, expect
from tests.engine.prompts import PROMPTS

TEXTS = {prompt.name: prompt.text for prompt in PROMPTS}


def make_candidate(slug="openai/gpt-5.2", prompt=1e-6, completion=1e-5, request=0.0):
    return Candidate(slug, prompt, completion, request)


def make_analysis(task="code:generation", **changes):
    tasks = dict.fromkeys(TASKS, 0.0) | {task: 1.0}
    return analyse_text("hi")._replace(tasks=tasks, difficulty=1.0, **changes)


def quality(slug, task):
    (prediction,) = expect(make_analysis(task), [make_candidate(slug)])
    return prediction.quality


@pytest.mark.parametrize(
    ("stronger", "weaker", "task"),
    [
        ("openai/gpt-5.2-pro", "openai/gpt-5.2", "math:problem"),
        ("anthropic/claude-opus-4.6", "anthropic/claude-sonnet-4.6", "code:generation"),
        ("anthropic/claude-sonnet-4.6", "anthropic/claude-haiku-4.5", "code:generation"),
        ("google/gemini-3.1-pro-preview", "google/gemini-3-flash-preview", "reasoning:logic"),
        ("openai/gpt-5", "openai/gpt-5-mini", "math:problem"),
        ("openai/gpt-5-mini", "openai/gpt-5-nano", "math:problem"),
        ("z-ai/glm-5", "qwen/qwen3-235b-a22b", "code:generation"),
        ("x-ai/grok-4", "x-ai/grok-3", "math:problem"),
        (
            "mistralai/mistral-medium-3.1",
            "mistralai/mistral-small-3.2-24b-instruct-2506",
            "chat:smalltalk",
        ),
        ("mistralai/mistral-medium-3.1", "mistralai/mistral-large", "writing:creative"),
        (
            "mistralai/codestral-2508",
            "mistralai/mistral-small-3.2-24b-instruct-2506",
            "code:generation",
        ),
        ("mistralai/mistral-medium-3.1", "mistralai/codestral-2508", "writing:creative"),
        ("perplexity/sonar", "meta-llama/llama-3.3-70b-instruct", "knowledge:fact"),
        ("openai/gpt-5-mini", "perplexity/sonar", "code:generation"),
        ("deepseek/deepseek-r1", "meta-llama/llama-3.3-70b-instruct", "math:problem"),
    ],
)
def test_abilities_agree_with_what_is_known(stronger, weaker, task):
    assert quality(stronger, task) > quality(weaker, task)


def test_every_seed_model_has_abilities():
    predictions = expect(make_analysis("math:problem"), [*POOL, make_candidate("nobody/unknown")])

    unknown = predictions[-1]
    assert len({one.slug for one in predictions if one.quality != unknown.quality}) >= 28


def test_unknown_model_is_below_average_with_a_wide_interval():
    known = expect(make_analysis())

    (unknown,) = expect(make_analysis(), [make_candidate("nobody/unknown")])

    assert unknown.quality < sum(one.quality for one in known) / len(known)
    assert unknown.high - unknown.low > max(one.high - one.low for one in known[:4])


def test_quality_lies_within_its_interval():
    predictions = expect(make_analysis())

    assert all(0 <= one.low <= one.quality <= one.high <= 1 for one in predictions)


def test_harder_request_lowers_every_quality():
    easy, hard = analyse_text(TEXTS["greeting"]), analyse_text(TEXTS["hard-proof"])

    pairs = zip(expect(easy), expect(hard), strict=True)

    assert all(one.quality > other.quality for one, other in pairs)


def test_cost_adds_tokens_and_request():
    analysis = make_analysis(prompt_tokens=1000, output_tokens=100.0)
    candidate = make_candidate("nobody/unknown", prompt=2e-6, completion=3e-6, request=0.5)

    (prediction,) = expect(analysis, [candidate])

    # Expected tokens are rounded to a factor of 1.4.
    assert prediction.cost_usd - 0.002 - 0.5 == pytest.approx(0.0003, rel=0.2)


def test_verbose_model_costs_more_at_the_same_price():
    terse, verbose = expect(
        make_analysis(),
        [make_candidate("mistralai/mistral-medium-3.1"), make_candidate("deepseek/deepseek-r1")],
    )

    assert verbose.cost_usd > 2 * terse.cost_usd


def test_no_answer_is_priced_beyond_the_requests_cap():
    analysis = analyse(read([{"role": "user", "content": TEXTS["sql"]}], max_output_tokens=10))
    free_prompt = make_candidate("deepseek/deepseek-r1", prompt=0.0, completion=1.0)

    (prediction,) = expect(analysis, [free_prompt])

    assert prediction.cost_usd == 10


def test_pool_of_other_prices_is_another_pool():
    analysis = make_analysis()
    (cheap,), (dear,) = (
        expect(analysis, [make_candidate(completion=price)]) for price in (1e-6, 1e-5)
    )

    assert cheap.cost_usd < dear.cost_usd
    assert cheap.quality == dear.quality


def test_no_candidates_have_no_predictions():
    assert expect(make_analysis(), []) == []


def test_cost_is_told_to_a_billionth_of_a_dollar():
    analysis = make_analysis(prompt_tokens=7, output_tokens=100.0)
    candidate = make_candidate("nobody/unknown", prompt=1.23456789e-7, completion=0.0)

    (prediction,) = expect(analysis, [candidate])

    assert prediction.cost_usd == 0.000000864


def test_predictions_are_in_the_order_of_slugs():
    found = predict(make_analysis(), [make_candidate("z/z"), make_candidate("a/a")])

    assert found.slugs == ("a/a", "z/z")


def test_self_hosted_model_may_cost_nothing():
    (prediction,) = expect(make_analysis(), [make_candidate(prompt=0.0, completion=0.0)])

    assert prediction.cost_usd == 0
