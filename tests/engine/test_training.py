import json
import re
from collections import defaultdict
from random import Random

import numpy as np
import pytest

from routing.engine import heads
from routing.engine.features import DENSE, read_features
from routing.engine.tasks import TASKS
from routing.engine.training import artefact
from routing.engine.training.design import COLUMNS, design_of
from routing.engine.training.difficulty import fit_difficulty
from routing.engine.training.examples import mistyped, steered, without_form
from routing.engine.training.fitting import (
    Heads,
    Plan,
    fit,
    scores_of,
    softmax_residual,
    sum_of,
)
from routing.engine.training.labels import task_of
from routing.engine.training.templating import make_examples, make_parallel
from routing.engine.words import FILE, WORDS

SIZE_LIMIT = 3 * 2**20


def make_heads(outputs, seed=0):
    lots = np.random.default_rng(seed)
    shapes = ((COLUMNS, outputs), (DENSE, outputs), (WORDS, outputs), (outputs,))
    return Heads(*(lots.normal(size=shape).astype(np.float32) for shape in shapes))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_task_has_templates_of_two_families():
    families = defaultdict(set)
    for one in make_examples(1):
        families[one.task].add(one.source)

    assert set(families) == set(TASKS)
    assert all({"first", "second"} <= found for found in families.values())


def test_templates_speak_twelve_languages():
    assert len({one.language for one in make_examples(1)}) >= 12


def test_same_seed_makes_the_same_prompts():
    assert make_examples(3) == make_examples(3)
    assert make_examples(3) != make_examples(4)


def test_no_template_keeps_an_empty_slot():
    names = ("{city}", "{number}", "{person}", "{passage}", "{code}", "{sentence_own}")

    assert not [one.text for one in make_examples(1) if any(name in one.text for name in names)]


def test_one_wording_of_each_choice_is_drawn():
    texts = [one.text for one in make_examples(1)]

    assert not [text for text in texts if "[[" in text]


def test_slots_within_slots_are_filled():
    assert not [one.text for one in make_examples(1) if re.search(r"\{[a-z]+[23]?\}", one.text)]


@pytest.mark.parametrize(
    ("label", "sub", "task"),
    [
        ("t0:ag_news_classify", "", "extraction:classification"),
        ("t0:gigaword_TLDR", "", "summarization"),
        ("ulabtask:gsm8k", "", "math:problem"),
        ("biggen:planning", "travel_plan", "agent:planning"),
        ("ah1", "SQL Database Essentials", "code:sql"),
        ("ah1", "Sales and Client Analysis", "reasoning:analysis"),
        ("ah1", "Character Indexing and Counting", None),
        ("bfcl:live_irrelevance", "", None),
        ("t0:social_i_qa_Generate_the_question_from_the_answer", "", None),
        ("t0:ropes_prompt_beginning", "", "extraction:reading"),
        ("code_generation", "", "code:debugging"),
        ("intent:oos", "", None),
    ],
)
def test_labels_stand_for_tasks(label, sub, task):
    assert task_of(label, sub, "Find the error in this code") == task


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("Question: Why?\nOptions:\n(A) This\n(B) That", "Why?"),
        ("What is it?\nA. One\nB. Two", "What is it?"),
        ("Q:", "Q:"),
    ],
)
def test_form_of_a_data_set_is_stripped(text, bare):
    assert without_form(text) == bare


def test_steered_prompts_keep_their_own_words():
    random = Random(1)
    texts = [steered("Sort a list.", random) for _ in range(200)]

    assert all("Sort a list." in text for text in texts)
    assert 0.2 < sum(text != "Sort a list." for text in texts) / len(texts) < 0.4


def test_parallel_prompts_match_german_ones_task_by_task():
    templates = {(one.template.removeprefix("en:"), one.task) for one in make_parallel(1)}
    german = {
        (one.template.removeprefix("de:"), one.task)
        for one in make_examples(1)
        if one.language == "de"
    }

    assert templates == german


def test_typo_keeps_the_letters():
    assert sorted(mistyped("hello world", Random(1))) == sorted("hello world")


def test_difficulty_of_graded_prompts_is_found():
    lots = np.random.default_rng(0)
    hard, able = lots.normal(size=300), lots.normal(size=20)
    success = lots.random((300, 20)) < 1 / (1 + np.exp(hard[:, None] - able))
    scores = [{str(m): float(won) for m, won in enumerate(row)} for row in success]

    assert np.corrcoef(fit_difficulty(scores), hard)[0, 1] > 0.8


def test_heads_learn_what_words_say():
    texts = [f"sum {at}" for at in range(40)] + [f"rhyme {at}" for at in range(40)]
    design = design_of(map(read_features, texts))
    targets = np.repeat([0, 1], 40)
    residual = softmax_residual(targets, np.ones(80, np.float32), 0.0)

    found = fit(design, 2, residual, plan=Plan(passes=20, step=0.1))

    assert (scores_of(found, design).argmax(axis=1) == targets).all()


def test_words_teach_what_words_like_them_say():
    texts = [f"{word} please" for word in ("poem", "verse", "query", "database") * 20]
    design = design_of(map(read_features, texts))
    residual = softmax_residual(np.tile([0, 0, 1, 1], 20), np.ones(80, np.float32), 0.0)
    unseen = design_of(map(read_features, ["haiku please", "sql please"]))

    found = fit(design, 2, residual, plan=Plan(passes=100, step=0.01, of_words=True))

    assert scores_of(found, unseen).argmax(axis=1).tolist() == [0, 1]


def test_scores_of_a_sum_are_the_sum_of_scores():
    one, other = make_heads(2), make_heads(2, seed=1)
    design = design_of([read_features("Write a haiku about autumn rain.")])

    found = scores_of(sum_of(one, other, 0.5), design)

    assert found == pytest.approx(
        scores_of(one, design) + scores_of(other, design) / 2, rel=1e-4, abs=1e-3
    )


def test_heads_are_fitted_on_the_prompts_named_alone():
    texts = [f"sum {at}" for at in range(40)] + [f"rhyme {at}" for at in range(40)]
    design = design_of(map(read_features, texts))
    residual = softmax_residual(np.repeat([0, 1], 40), np.ones(80, np.float32), 0.0)

    found = fit(design, 2, residual, plan=Plan(passes=20, step=0.1), of=np.arange(40))

    assert (scores_of(found, design).argmax(axis=1) == 0).all()


def test_part_of_a_design_is_the_design_of_the_part():
    texts = ["one", "two words", "three words here"]
    whole = design_of(map(read_features, texts))

    part = whole.part(np.array([2, 0]))

    assert (part.hashed(np.array([0, 1])) == whole.hashed(np.array([2, 0]))).all()
    assert (part.dense == whole.dense[[2, 0]]).all()


def test_same_weights_make_the_same_artefact(tmp_path):
    tasks, numbers = make_heads(len(TASKS)), make_heads(2)

    one = artefact.write(tmp_path / "a", tasks, numbers, 1.0)
    other = artefact.write(tmp_path / "b", tasks, numbers, 1.0)

    assert one == other
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_other_weights_have_another_version(tmp_path):
    numbers = make_heads(2)

    one = artefact.write(tmp_path, make_heads(len(TASKS)), numbers, 1.0)
    other = artefact.write(tmp_path, make_heads(len(TASKS), seed=1), numbers, 1.0)

    assert one != other


def test_artefact_scores_as_the_heads_it_was_made_of(tmp_path):
    tasks, numbers = make_heads(len(TASKS)), make_heads(2)
    artefact.write(tmp_path, tasks, numbers, 1.0)
    features = read_features("Write a haiku about autumn rain.")

    reading = heads.read_heads(features, heads.load(tmp_path))

    assert reading.scores == pytest.approx(scores_of(tasks, design_of([features]))[0], abs=0.3)


def test_artefact_of_other_tasks_is_refused(tmp_path):
    artefact.write(tmp_path, make_heads(len(TASKS)), make_heads(2), 1.0)
    about = json.loads((tmp_path / "heads.json").read_text())
    (tmp_path / "heads.json").write_text(json.dumps(about | {"tasks": ["code"]}))

    with pytest.raises(ValueError, match="was made for the tasks"):
        heads.load(tmp_path)


def test_artefact_in_use_is_small():
    files = [*heads.FOLDER.iterdir(), FILE]

    assert sum(path.stat().st_size for path in files) <= SIZE_LIMIT
