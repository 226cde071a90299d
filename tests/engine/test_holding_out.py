from dataclasses import replace
from random import Random

import numpy as np

from routing.engine.features import read_features
from routing.engine.training.design import design_of
from routing.engine.training.examples import Example
from routing.engine.training.holding_out import (
    Trial,
    family_of,
    judge_languages,
    judge_sources,
)

WORDS = {"code:sql": "select join table", "writing:creative": "poem rhyme verse"}


def make_example(task, source, words, language="en"):
    return Example(words, task, source, f"{source}:{task}", 2.0, language)


def make_trial(sources, *, known=True):
    """Sources share their words for a task; of one not known the others can tell nothing."""
    lots = Random(1)
    examples = []
    for source, language in sources:
        for task, words in WORDS.items():
            told = words if known else WORDS[lots.choice(list(WORDS))]
            examples += [make_example(task, source, f"{told} {at}", language) for at in range(60)]
    design = design_of(read_features(one.text) for one in examples)
    return Trial(examples, design, design)


def test_each_source_is_judged_by_what_the_others_taught():
    verdicts = list(judge_sources(make_trial([("a", "en"), ("b", "en"), ("c", "en")])))

    assert [(one.name, one.n) for one in verdicts] == [("a", 120), ("b", 120), ("c", 120)]
    assert all(one.accuracy > 0.95 for one in verdicts)


def test_what_a_source_alone_knows_is_not_used():
    trial = make_trial([("a", "en"), ("b", "en")], known=False)
    (own, _) = judge_sources(trial)

    assert own.accuracy < 0.8


def test_foreign_templates_are_left_out_with_their_family():
    sources = [("first", "en"), ("languages-first", "de"), ("second", "en")]
    trial = make_trial(sources)

    assert family_of("languages-first") == "first"
    assert [(one.name, one.n) for one in judge_sources(trial)] == [("first", 120), ("second", 120)]
    assert [one.name for one in judge_languages(trial)] == ["first, de", "first, en"]


def test_a_family_that_nothing_was_put_into_english_of_is_judged_without():
    trial = make_trial([("written", "en"), ("languages-written", "de"), ("first", "en")])

    verdicts = judge_languages(trial, make_trial([("languages-first", "en")]))

    assert [one.name for one in verdicts] == ["written, de", "written, en"]


def test_the_same_in_english_is_judged_by_the_heads_of_the_family():
    trial = make_trial([("first", "en"), ("languages-first", "de"), ("second", "en")])
    parallel = make_trial([("languages-first", "en")])

    verdicts = list(judge_languages(trial, parallel))

    assert [one.name for one in verdicts] == ["first, de", "first, en", "first, en, same"]
    assert verdicts[-1].accuracy > 0.95


def test_languages_are_judged_task_by_task():
    trial = make_trial([("first", "en"), ("languages-first", "de"), ("second", "en")])
    few = [one for one in trial.examples if one.task == "code:sql" or not one.text.endswith("7")]
    odd = [replace(one, text="rhyme") if one.task == "code:sql" else one for one in few]
    design = design_of(read_features(one.text) for one in odd)

    verdicts = list(judge_languages(Trial(odd, trial.rough.part(np.arange(len(odd))), design)))

    assert all(one.accuracy in {0.0, 0.5, 1.0} for one in verdicts)
