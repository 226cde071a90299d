import json

import pytest
from django.core.management import CommandError, call_command

from tests.engine.graded import make_world


@pytest.fixture
def folder(tmp_path):
    prompts, scores = make_world(n=300)
    lines = [json.dumps({"id": one.id, "text": one.text, **one.keys}) for one in prompts]
    (tmp_path / "prompts.jsonl").write_text("\n".join(lines))
    rows = [f"{one.id},{one.model},{one.score},{one.cost}" for one in scores]
    (tmp_path / "scores.csv").write_text("\n".join(["id,model,score,cost", *rows]))
    return tmp_path


def test_json_is_the_last_line(folder, capsys):
    call_command("evaluate_router", str(folder), "--json", "--pair", "large", "small")

    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(figures) == [
        "aiq",
        "aiqlog",
        "ladder",
        "quality_at",
        "cost_at_best_minus_half",
        "pair",
        "typing",
        "cpu_ms",
        "n",
    ]


def test_values_of_a_key_are_listed(folder, capsys):
    call_command("evaluate_router", str(folder), "--by", "task")

    assert "all together" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--pair", "large", "nobody"], "the models are large, middle, small"),
        (["--calibrate", "2"], "--calibrate is 2.0"),
        (["--seed", "-1"], "--seed is -1; it must be a whole number from 0"),
        (["--by", "nothing"], "No 'nothing' of the prompts"),
        (["--by", "task", "--json"], "--by prints one table"),
    ],
)
def test_what_cannot_be_done_is_said(folder, arguments, said):
    with pytest.raises(CommandError, match=said):
        call_command("evaluate_router", str(folder), *arguments)


def test_route_is_explained(capsys):
    call_command("explain_route", "Write a haiku about rain.", "--model-pool", "openai/*")

    said = capsys.readouterr().out
    assert "difficulty" in said
    assert "openai/gpt-5.2" in said
    assert "anthropic/" not in said


def test_a_pattern_may_be_the_alias_of_a_model(capsys):
    alias = "mistralai/mistral-small-3.2-24b-instruct"

    call_command("explain_route", "Write a haiku about rain.", "--model-pool", alias)

    assert f"{alias}-2506" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--tradeoff", "11"], "Tradeoff is 11"), (["--model-pool", "no/*"], "No model matches no")],
)
def test_route_that_cannot_be_explained_is_said(arguments, said):
    with pytest.raises(CommandError, match=said):
        call_command("explain_route", "hi", *arguments)
