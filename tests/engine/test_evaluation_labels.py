import json

import numpy as np
import pytest

from routing.engine.evaluation.data import BadData
from routing.engine.evaluation.labels import (
    Label,
    Labels,
    expected_calibration_error,
    judge_labels,
    load_labels,
)
from tests.engine.graded import PLAIN

SHARES = {"code:sql": 0.3, "code:debugging": 0.25, "writing:translation": 0.25, "agent": 0.2}


def analyse(_conversation):
    return PLAIN._replace(tasks=SHARES)


def judge(*targets):
    return judge_labels(Labels(tuple(Label("text", one) for one in targets), 0), analyse)


@pytest.fixture
def folder(tmp_path):
    def write(targets):
        (tmp_path / "labels.jsonl").write_text('{"text": "t", "label": "a"}\n' * 3)
        (tmp_path / "label-map.json").write_text(json.dumps(targets))
        return tmp_path

    return write


def test_group_has_the_sum_of_its_tasks():
    typing = judge("code", "code", "translation", "code")

    assert typing.accuracy == 0.75
    assert typing.ece == pytest.approx(0.75 - 0.55)


def test_task_of_a_group_stands_apart_where_it_is_a_target():
    typing = judge("code:sql", "code")

    assert typing.classes == ("agent", "code", "code:sql", "writing")
    assert typing.confusion[2].tolist() == [0, 0, 1, 0]


def test_target_finer_than_ours_counts_as_its_group():
    assert judge("code:sql:postgres").accuracy == 1


@pytest.mark.parametrize("name", ["tool use", "tool_use", "agent"])
def test_group_goes_by_other_words(name):
    assert judge(name).classes == tuple(sorted({"code", "writing", name}))


def test_rows_of_the_confusion_are_labels():
    typing = judge("translation", "code")

    assert dict(zip(typing.classes, typing.confusion.sum(axis=1), strict=True)) == {
        "agent": 0,
        "code": 1,
        "translation": 1,
    }


def test_unknown_target_is_named():
    with pytest.raises(BadData, match="'cooking' is no task or group of ours; accepted are agent"):
        judge("cooking")


def test_labels_that_the_map_leaves_out_are_skipped(folder):
    assert load_labels(folder({"b": "code"})).skipped == 3
    assert load_labels(folder({"a": None})).skipped == 3
    assert load_labels(folder({"a": "code"})).labels[0] == Label("t", "code")


def test_folder_without_labels_has_none(tmp_path):
    assert load_labels(tmp_path) is None


def test_labels_without_a_map_name_tasks_themselves(tmp_path):
    (tmp_path / "labels.jsonl").write_text('{"text": "t", "label": "code"}\n')

    assert load_labels(tmp_path).labels == (Label("t", "code"),)


@pytest.mark.parametrize("targets", [[1], {"a": 3}])
def test_bad_map_is_named(folder, targets):
    with pytest.raises(BadData, match=r"label-map\.json"):
        load_labels(folder(targets))


def test_bad_label_is_named(tmp_path):
    (tmp_path / "labels.jsonl").write_text('{"text": "t"}\n')

    with pytest.raises(BadData, match=r"labels\.jsonl line 1: needs the strings"):
        load_labels(tmp_path)


@pytest.mark.parametrize(
    ("confidence", "right", "expected"),
    [
        ([0.9, 0.9], [True, True], 0.1),
        ([0.9, 0.9], [True, False], 0.4),
        ([0.2, 0.9], [False, True], 0.15),
        ([1.0], [True], 0.0),
    ],
)
def test_calibration_error_is_the_gap_within_bins(confidence, right, expected):
    error = expected_calibration_error(np.array(confidence), np.array(right))

    assert error == pytest.approx(expected)
