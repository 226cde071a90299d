import re

import numpy as np
import pytest

from routing.engine.tasks import TASKS
from routing.engine.training.written import FOLDER, read_written
from tests.engine.prompts import PROMPTS

WRITTEN = read_written()
SPOKEN = {"en", "de", "es", "fr", "it", "pt", "ru", "ar", "hi", "ja", "ko", "zh"}


def bare(text):
    return re.sub(r"\W+", "", text.lower())


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.jsonl")))
def test_no_field_or_register_gives_the_task_away(name):
    tasks = {one.task for one in WRITTEN if one.template.startswith(f"{name}:")}

    assert tasks == {task for task in TASKS if not task.startswith("vision:")}


def test_no_prompt_is_written_twice():
    texts = [bare(one.text) for one in WRITTEN]

    assert len(set(texts)) == len(texts) > 10_000


def test_prompts_of_the_tests_are_not_among_them():
    assert not {bare(one.text) for one in PROMPTS} & {bare(one.text) for one in WRITTEN}


def test_twelve_languages_are_written_in():
    assert {one.language for one in WRITTEN} == SPOKEN


def test_hardness_has_five_levels_and_is_not_told_by_length_alone():
    hardness = [one.hardness for one in WRITTEN if one.language == "en"]
    lengths = [np.log(len(one.text)) for one in WRITTEN if one.language == "en"]

    assert set(hardness) == {1, 2, 3, 4, 5}
    assert abs(np.corrcoef(hardness, lengths)[0, 1]) < 0.4
