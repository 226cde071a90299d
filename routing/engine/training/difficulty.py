"""How hard graded prompts are: item response theory with one axis, per data set."""

import csv
import gzip
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from routing.engine.training.examples import read_rows

Doubles = NDArray[np.float64]

# Spread of prompts within a data set and of models in it, in logits: the priors.
PROMPT_SD = 1.0
MODEL_SD = 1.5
ROUNDS = 30

# The graded models are of 2023-25: they solve 36 % of MMLU-Pro, where the models of today's pool
# have 82 % and the axis its zero (see predictor.OFFSET). logit(1 - .36) = .6.
OLDER_MODELS = 0.6

# A data set's mean is held to this many logits either way: its grading is part of it.
FARTHEST_SET = 2.0

# Output tokens, from the characters of answers, as conversation.py has it.
CHARACTERS_PER_TOKEN = 4.0


@dataclass(frozen=True, slots=True)
class Graded:
    """A prompt with its difficulty: its data set's level and its own part, in logits.

    log_length is the mean natural logarithm of its answers' tokens, less its data set's; 0 where
    not known.
    """

    text: str
    dataset: str
    level: float
    own: float
    log_length: float


def read_graded(data_dir: Path) -> list[Graded]:
    """Fit difficulty to the scores of DATA_DIR, each data set for itself."""
    texts = {row["id"]: row for row in read_rows(data_dir / "prompts.jsonl.gz")}
    scores, lengths = _read_scores(data_dir / "scores.csv.gz")
    by_set: dict[str, list[str]] = defaultdict(list)
    for name in scores:
        by_set[texts[name]["dataset"]].append(name)
    found: list[Graded] = []
    for dataset, names in sorted(by_set.items()):
        own = fit_difficulty([scores[name] for name in names])
        level = _level([scores[name] for name in names])
        longer = _centred([lengths.get(name, []) for name in names])
        for name, part, length in zip(names, own, longer, strict=True):
            text = texts[name]["text"]
            found.append(Graded(text, dataset, level, float(part), float(length)))
    return found


def fit_difficulty(scores: Sequence[dict[str, float]]) -> Doubles:
    """Return each prompt's difficulty, mean 0: P(success) = sigmoid(model - difficulty).

    Posterior mode under normal priors, by Newton's steps on prompts and models in turn.
    """
    models = sorted({model for one in scores for model in one})
    table = np.array([[one.get(model, np.nan) for model in models] for one in scores])
    known = np.isfinite(table)
    filled = np.where(known, table, 0.0)
    prompts, abilities = np.zeros(len(scores)), np.zeros(len(models))
    for _ in range(ROUNDS):
        error, weight = _errors(filled, known, abilities, prompts)
        abilities += (error.sum(0) - abilities / MODEL_SD**2) / (weight.sum(0) + 1 / MODEL_SD**2)
        error, weight = _errors(filled, known, abilities, prompts)
        prompts -= (error.sum(1) + prompts / PROMPT_SD**2) / (weight.sum(1) + 1 / PROMPT_SD**2)
        prompts -= prompts.mean()
    return prompts


def _errors(
    filled: Doubles, known: NDArray[np.bool_], abilities: Doubles, prompts: Doubles
) -> tuple[Doubles, Doubles]:
    success = 1 / (1 + np.exp(prompts[:, None] - abilities))
    return np.where(known, filled - success, 0.0), np.where(known, success * (1 - success), 0.0)


def _level(scores: Sequence[dict[str, float]]) -> float:
    values = [value for one in scores for value in one.values()]
    mean = (sum(values) + 1) / (len(values) + 2)
    level = np.log((1 - mean) / mean) - OLDER_MODELS
    return float(np.clip(level, -FARTHEST_SET, FARTHEST_SET))


def _read_scores(path: Path) -> tuple[dict[str, dict[str, float]], dict[str, list[float]]]:
    scores: dict[str, dict[str, float]] = defaultdict(dict)
    lengths: dict[str, list[float]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            scores[row["id"]][row["model"]] = float(row["score"])
            if row["out_chars"] and float(row["out_chars"]) > 0:
                lengths[row["id"]].append(float(row["out_chars"]) / CHARACTERS_PER_TOKEN)
    return scores, lengths


def _centred(lengths: Sequence[Sequence[float]]) -> Doubles:
    logs = np.array([np.mean(np.log(one)) if one else np.nan for one in lengths])
    if np.isnan(logs).all():
        return np.zeros(len(logs))
    result: Doubles = np.nan_to_num(logs - np.nanmean(logs))
    return result
