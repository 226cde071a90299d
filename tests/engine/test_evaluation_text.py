import json

import pytest

from routing.engine.analysis import analyse
from routing.engine.evaluation.data import BadData
from routing.engine.evaluation.receipt import read_candidates, receipt
from routing.engine.evaluation.report import evaluate_folder, evaluate_groups
from routing.engine.evaluation.text import group_lines, lines, table
from routing.engine.evaluation.timing import cpu_times
from tests.engine.candidates import POOL
from tests.engine.graded import make_world

MODEL = {
    "slug": "a/one",
    "canonical_slug": "a/one-1",
    "alias": "",
    "supported_parameters": ["tools"],
    "prices": {"prompt": "0.000001", "completion": "0.000002", "web_search": "0.01"},
}


@pytest.fixture
def folder(tmp_path):
    prompts, scores = make_world(n=300)
    (tmp_path / "prompts.jsonl").write_text(
        "\n".join(json.dumps({"id": one.id, "text": one.text, **one.keys}) for one in prompts)
    )
    rows = [f"{one.id},{one.model},{one.score},{one.cost}" for one in scores]
    (tmp_path / "scores.csv").write_text("\n".join(["id,model,score,cost", *rows]))
    (tmp_path / "labels.jsonl").write_text(
        '{"text": "Translate to French: Where is the train station?", "label": "t"}'
    )
    (tmp_path / "label-map.json").write_text('{"t": "translation"}')
    return tmp_path


@pytest.fixture
def catalogue(tmp_path):
    searching = MODEL | {"slug": "b/two", "supported_parameters": ["web_search_options"]}
    path = tmp_path / "models.json"
    path.write_text(json.dumps({"models": [MODEL, searching]}))
    return path


def test_folder_is_evaluated_whole(folder):
    report = evaluate_folder(folder, pair=("large", "small"))

    text = "\n".join(lines(report))
    assert "210 prompts judge; 90 others" in text
    assert all(f"  {name} " in text for name in ("router", "task averages", "CPT(80%)", "4000"))
    assert json.loads(json.dumps(report.as_json()))["typing"] == {
        "accuracy": 1.0,
        "ece": pytest.approx(report.typing.ece),
        "n": 1,
    }


def test_groups_end_with_all_together(folder):
    text = list(group_lines(evaluate_groups(folder, "task")))

    assert "all together" in text[-2]
    assert "mean gain of the sets" in text[-1]


def test_table_aligns_names_left_and_numbers_right():
    assert list(table(("name", "n"), [("a", "1"), ("longer", "100")])) == [
        "  name      n",
        "  a         1",
        "  longer  100",
    ]


def test_time_is_taken_for_both_lengths():
    times = cpu_times(["Some text."], analyse)

    assert list(times) == ["400", "4000"]
    assert all(0 < one.p50 <= one.p99 for one in times.values())


def test_receipt_names_task_candidates_and_picks():
    text = "\n".join(receipt("Translate to German: Where is the train station?", POOL, 7))

    assert "translation" in text.splitlines()[0]
    assert "score at 7" in text
    assert all(f"  {slug} " in text for slug in ("openai/gpt-5.2", "perplexity/sonar"))


def test_receipt_refuses_a_tradeoff_outside_the_dial():
    with pytest.raises(ValueError, match="Tradeoff is 11"):
        list(receipt("hi", POOL, 11))


def test_candidates_have_the_catalogues_prices(catalogue):
    one, two = read_candidates(catalogue, [])

    assert (one.prompt_price, one.completion_price, one.request_price) == (1e-6, 2e-6, 0)
    assert two.request_price == 0.01


def test_pattern_limits_the_candidates(catalogue):
    assert [one.slug for one in read_candidates(catalogue, ["B/*"])] == ["b/two"]


@pytest.mark.parametrize(
    ("pattern", "said"), [("nobody/*", "No model matches nobody"), ("", "A pattern is empty")]
)
def test_pattern_for_nothing_is_refused(catalogue, pattern, said):
    with pytest.raises(BadData, match=said):
        read_candidates(catalogue, [pattern])
