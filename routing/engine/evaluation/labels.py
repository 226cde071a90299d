"""How often the likeliest task is the labelled one, and whether its probability can be believed."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from routing.engine.conversation import read
from routing.engine.evaluation.data import BadData, find, read_lines
from routing.engine.evaluation.trial import Analyse

# Bins of the expected calibration error, equally wide, as Guo et al. 2017 (arXiv 1706.04599) have.
BINS = 15

# Other words for a group of tasks, beside its own name.
KINDS = {
    "tool use": ("agent",),
    "tool_use": ("agent",),
    "extraction": ("summarization",),
    "classification": ("extraction", "summarization"),
    "classification/extraction": ("extraction", "summarization"),
    "translation": ("writing:translation", "translation"),
}


class Label(NamedTuple):
    """A text, and the task or group that someone says it is."""

    text: str
    target: str


@dataclass(frozen=True, slots=True)
class Labels:
    """The labelled texts of a folder; skipped counts those whose label the map leaves out."""

    labels: tuple[Label, ...]
    skipped: int


@dataclass(frozen=True, slots=True)
class Typing:
    """accuracy and ece as shares of 1; confusion (k, k) counts, rows said, columns predicted."""

    accuracy: float
    ece: float
    n: int
    skipped: int
    classes: tuple[str, ...]
    confusion: NDArray[np.intp]


def load_labels(folder: Path) -> Labels | None:
    """Read labels.jsonl[.gz] and label-map.json of a folder; nothing if it has no labels.

    Without a map each label is itself the name of a task or group. A label that the map leaves
    out, or maps to null, is skipped. Raises BadData for what is not of this form.
    """
    if not any((folder / name).is_file() for name in ("labels.jsonl", "labels.jsonl.gz")):
        return None
    path = find(folder, "labels.jsonl")
    targets = _read_map(folder / "label-map.json")
    found = list(_read_labels(path))
    if targets is None:
        return Labels(tuple(found), 0)
    mapped = [Label(text, targets[label]) for text, label in found if label in targets]
    return Labels(tuple(mapped), len(found) - len(mapped))


def judge_labels(labels: Labels, analyse: Analyse) -> Typing:
    """Compare the likeliest class of each text with its label.

    Classes are the map's targets. Each of our tasks belongs to the most specific target that is
    its name, a part of its name up to a colon, or another word for it (KINDS); tasks without a
    target count as what they are, and so as wrong. A class has the sum of its tasks' posterior.
    Raises BadData for no labels, or a target that is none of our tasks or groups.
    """
    if not labels.labels:
        raise BadData("labels.jsonl: label-map.json names none of its labels.")
    posteriors = [
        analyse(read([{"role": "user", "content": label.text}])).tasks for label in labels.labels
    ]
    tasks = tuple(posteriors[0])
    targets = _targets(tasks, {label.target for label in labels.labels})
    class_of = {task: _class_of(task, set(targets.values())) for task in tasks}
    names = tuple(sorted({*class_of.values(), *targets.values()}))
    belongs = np.array([[class_of[task] == name for name in names] for task in tasks], dtype=float)
    shares = np.array([[one[task] for task in tasks] for one in posteriors]) @ belongs
    said = np.array([names.index(targets[label.target]) for label in labels.labels])
    return _typing(shares, said, (names, labels.skipped))


def expected_calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Return the mean gap between confidence and accuracy over BINS bins, weighted by size."""
    place = np.minimum((confidence * BINS).astype(np.intp), BINS - 1)
    gap = np.bincount(place, weights=confidence - right, minlength=BINS)
    return float(np.abs(gap).sum() / len(confidence))


def _typing(
    shares: NDArray[np.float64], said: NDArray[np.intp], about: tuple[tuple[str, ...], int]
) -> Typing:
    names, skipped = about
    predicted = shares.argmax(axis=1)
    confusion = np.zeros((len(names), len(names)), dtype=np.intp)
    np.add.at(confusion, (said, predicted), 1)
    right = predicted == said
    error = expected_calibration_error(shares.max(axis=1), right)
    return Typing(float(right.mean()), error, len(said), skipped, names, confusion)


def _targets(tasks: Sequence[str], targets: set[str]) -> dict[str, str]:
    """Return the name that stands for each target: itself, or its group where ours is coarser."""
    accepted = {word for task in tasks for word in _words_for(task)}
    found = {}
    for target in sorted(targets):
        parts = target.split(":")
        names = [":".join(parts[:count]) for count in range(len(parts), 0, -1)]
        known = next((name for name in names if name in accepted), None)
        if known is None:
            raise BadData(
                f"label-map.json: {target!r} is no task or group of ours; accepted are "
                f"{', '.join(sorted(accepted))}."
            )
        found[target] = known
    return found


def _class_of(task: str, targets: set[str]) -> str:
    return next((word for word in _words_for(task) if word in targets), task.partition(":")[0])


def _words_for(task: str) -> tuple[str, ...]:
    """Return the names a task may go by, the most specific first."""
    parts = task.split(":")
    own = [":".join(parts[:count]) for count in range(len(parts), 0, -1)]
    others = [kind for kind, names in KINDS.items() if set(names) & set(own)]
    return tuple(dict.fromkeys([own[0], *others, *own[1:]]))


def _read_map(path: Path) -> Mapping[str, str] | None:
    if not path.is_file():
        return None
    try:
        targets = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadData(f"{path.name}: not JSON: {error}.") from error
    if not isinstance(targets, dict):
        raise BadData(f"{path.name}: an object of label: task is accepted.")
    wrong = [key for key, one in targets.items() if not isinstance(one, str | None)]
    if wrong:
        raise BadData(f"{path.name}: {wrong[0]!r} maps to {targets[wrong[0]]!r}, not to a name.")
    return {key: one for key, one in targets.items() if one is not None}


def _read_labels(path: Path) -> Iterator[Label]:
    for number, entry in read_lines(path):
        text, label = entry.get("text"), entry.get("label")
        if not isinstance(text, str) or not isinstance(label, str):
            raise BadData(f"{path.name} line {number}: needs the strings 'text' and 'label'.")
        yield Label(text, label)
