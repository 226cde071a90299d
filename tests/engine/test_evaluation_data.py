import gzip
import json

import numpy as np
import pytest

from routing.engine.evaluation.data import BadData, load

PROMPTS = '{"id": "a", "text": "one"}\n{"id": "b", "text": "two", "task": "math"}\n'
SCORES = "id,model,score,cost,out_chars\na,m,1,0.5,9\nb,m,0,,\na,n,0.5,0.1,\nb,n,1,0.3,\n"


@pytest.fixture
def folder(tmp_path):
    def write(prompts=PROMPTS, scores=SCORES):
        (tmp_path / "prompts.jsonl").write_text(prompts)
        (tmp_path / "scores.csv").write_text(scores)
        return tmp_path

    return write


def test_grades_become_a_table(folder):
    graded = load(folder())

    assert [prompt.id for prompt in graded.prompts] == ["a", "b"]
    assert graded.models == ("m", "n")
    assert graded.scores.tolist() == [[1, 0.5], [0, 1]]
    assert graded.prompts[1].keys["task"] == "math"


def test_missing_cost_is_the_mean_of_the_model(folder):
    assert load(folder()).costs.tolist() == [[0.5, 0.1], [0.5, 0.3]]


def test_without_costs_every_model_costs_the_same(folder):
    graded = load(folder(scores="id,model,score\na,m,1\nb,n,0\n"))

    assert np.isnan(graded.costs).tolist() == [[False, True], [True, False]]
    assert np.nanmin(graded.costs) == np.nanmax(graded.costs) == 1


def test_cell_graded_twice_is_the_mean(folder):
    graded = load(folder(scores="id,model,score\na,m,1\na,m,0\n"))

    assert graded.scores.tolist() == [[0.5]]


def test_zipped_files_are_read(tmp_path):
    (tmp_path / "prompts.jsonl.gz").write_bytes(gzip.compress(PROMPTS.encode()))
    (tmp_path / "scores.csv.gz").write_bytes(gzip.compress(SCORES.encode()))

    assert load(tmp_path).scores.shape == (2, 2)


def test_messages_are_kept_and_name_the_prompt(folder):
    messages = [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]
    line = json.dumps({"id": "a", "messages": messages})

    graded = load(folder(prompts=line, scores="id,model,score\na,m,1\n"))

    assert graded.prompts[0].messages == tuple(messages)
    assert graded.prompts[0].text == "S\nU"


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ("id,model\na,m\n", "scores.csv line 1: no column 'score'"),
        ("", "scores.csv line 1: no column 'id'"),
        ("id,model,score\na,m,1\na,n,high\n", "scores.csv line 3: could not convert"),
        ("id,model,score\na,m,1.5\n", "line 2: score 1.5 is not within 0 to 1 (a,m,1.5)"),
        ("id,model,score\na,m,nan\n", "line 2: score nan is not within 0 to 1"),
        ("id,model,score\nzz,m,1\n", "line 2: id 'zz' is not among the prompts"),
        ("id,model,score\na,,1\n", "line 2: no model"),
        ("id,model,score\na\n", "line 2: list index out of range"),
        ("id,model,score,cost\na,m,1,-1\n", "line 2: cost -1.0 USD is not 0 or more"),
        ("id,model,score,cost\na,m,1,inf\n", "line 2: cost inf USD is not 0 or more"),
        ("id,model,score\n", "scores.csv has no scores"),
    ],
)
def test_bad_score_is_named(folder, scores, said):
    with pytest.raises(BadData) as caught:
        load(folder(scores=scores))

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("prompts", "said"),
    [
        ('{"id": "a", "text": "x"}\nnonsense\n', "prompts.jsonl line 2: not JSON"),
        ("[1]\n", "prompts.jsonl line 1: [1] is no JSON object"),
        ('{"text": "x"}\n', "line 1: no id"),
        ('{"id": "a", "text": "x"}\n\n{"id": "a", "text": "y"}\n', "line 3: id 'a' occurs twice"),
        ('{"id": "a"}\n', "line 1: needs a string 'text' or a list of 'messages'"),
        ('{"id": "a", "messages": "hi"}\n', "line 1: needs a string 'text'"),
    ],
)
def test_bad_prompt_is_named(folder, prompts, said):
    with pytest.raises(BadData) as caught:
        load(folder(prompts=prompts))

    assert said in str(caught.value)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(BadData, match=r"neither prompts\.jsonl nor prompts\.jsonl\.gz"):
        load(tmp_path)
