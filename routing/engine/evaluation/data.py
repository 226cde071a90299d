"""Anyone's graded data: prompts, and how each model did on them, read from a folder."""

import csv
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Messages = tuple[Mapping[str, Any], ...]


class BadData(ValueError):
    """A file that cannot be used; the message names file, line, value, and what is accepted."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt: its messages, the text that tells it from others, and the other keys given."""

    id: str
    messages: Messages
    text: str
    keys: Mapping[str, str]


class Score(NamedTuple):
    """How one model did on one prompt: score 0 to 1, cost in USD or NaN where unknown."""

    id: str
    model: str
    score: float
    cost: float


@dataclass(frozen=True, slots=True)
class Graded:
    """Prompts and models as a table, both sorted by name, so that no result hangs on row order.

    Shapes: scores and costs (n, m) float64, NaN where a model was not graded on a prompt.
    Units: costs in USD per prompt, or 1 everywhere where the data has none.
    """

    prompts: tuple[Prompt, ...]
    models: tuple[str, ...]
    scores: Floats
    costs: Floats

    def of_prompts(self, rows: NDArray[np.intp]) -> "Graded":
        """Keep these prompts, and the models graded on any of them."""
        models = np.flatnonzero(np.isfinite(self.scores[rows]).any(axis=0))
        return Graded(
            tuple(self.prompts[row] for row in rows),
            tuple(self.models[model] for model in models),
            self.scores[np.ix_(rows, models)],
            self.costs[np.ix_(rows, models)],
        )


def load(folder: Path) -> Graded:
    """Read prompts.jsonl[.gz] and scores.csv[.gz] of a folder.

    Raises BadData for a missing file or key, a number out of range, an unknown or repeated id.
    """
    prompts = list(read_prompts(find(folder, "prompts.jsonl")))
    path = find(folder, "scores.csv")
    scores = list(read_scores(path, {one.id for one in prompts}))
    if not scores:
        raise BadData(f"{path.name} has no scores.")
    return graded(prompts, scores)


def graded(prompts: Sequence[Prompt], rows: Sequence[Score]) -> Graded:
    """Arrange scores as a table; a cell graded more than once is the mean of its grades."""
    known = sorted({row.id for row in rows})
    models = sorted({row.model for row in rows})
    row_of = {name: at for at, name in enumerate(known)}
    column_of = {name: at for at, name in enumerate(models)}
    cell = np.array(
        [row_of[row.id] * len(models) + column_of[row.model] for row in rows], dtype=np.intp
    )
    shape = (len(known), len(models))
    table = _means(cell, np.array([row.score for row in rows]), shape)
    costs = _means(cell, np.array([row.cost for row in rows]), shape)
    by_id = {one.id: one for one in prompts}
    return Graded(tuple(by_id[name] for name in known), tuple(models), table, _filled(costs, table))


def find(folder: Path, name: str) -> Path:
    """Return the file of this name, or the gzipped one."""
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise BadData(f"{folder} has neither {name} nor {name}.gz.")


def read_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of a JSON Lines file with their line numbers."""
    with open_text(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                entry = json.loads(line)
            except ValueError as error:
                raise BadData(f"{path.name} line {number}: not JSON: {error}.") from error
            if not isinstance(entry, dict):
                raise BadData(f"{path.name} line {number}: {line.strip()[:60]} is no JSON object.")
            yield number, entry


def open_text(path: Path) -> IO[str]:
    """Open a text file that may be gzipped."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def read_prompts(path: Path) -> Iterator[Prompt]:
    """Yield the prompts of a file; keys beyond id, text and messages are kept as strings."""
    seen: set[str] = set()
    for number, entry in read_lines(path):
        name = str(entry.get("id", ""))
        if not name or name in seen:
            trouble = f"id {name!r} occurs twice" if name else "no id"
            raise BadData(f"{path.name} line {number}: {trouble}; each prompt needs its own id.")
        seen.add(name)
        messages = _messages(entry, f"{path.name} line {number}")
        keys = {key: one for key, one in entry.items() if isinstance(one, str) and key != "text"}
        yield Prompt(name, messages, text_of(messages), keys)


def text_of(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return all that is said in the messages, by which equal prompts are recognised."""
    return "\n".join(_said(message) for message in messages)


def read_scores(path: Path, ids: set[str]) -> Iterator[Score]:
    """Yield the rows of a file with the columns id, model, score and perhaps cost."""
    with open_text(path) as file:
        rows = csv.reader(file)
        header = next(rows, [])
        missing = [name for name in ("id", "model", "score") if name not in header]
        if missing:
            raise BadData(f"{path.name} line 1: no column {missing[0]!r} in {','.join(header)!r}.")
        id_at, model_at, score_at = (header.index(name) for name in ("id", "model", "score"))
        cost_at = header.index("cost") if "cost" in header else -1
        for row in rows:
            if not row:
                continue
            try:
                name, model, score = row[id_at], row[model_at], float(row[score_at])
                cost = float(row[cost_at] or "nan") if cost_at >= 0 else float("nan")
            except (IndexError, ValueError) as error:
                raise _bad_row(path, rows.line_num, row, str(error)) from error
            if name not in ids:
                raise _bad_row(path, rows.line_num, row, f"id {name!r} is not among the prompts")
            if not model:
                raise _bad_row(path, rows.line_num, row, "no model")
            if not 0 <= score <= 1:
                raise _bad_row(path, rows.line_num, row, f"score {score} is not within 0 to 1")
            if cost < 0 or (cost_at >= 0 and row[cost_at] and not isfinite(cost)):
                raise _bad_row(path, rows.line_num, row, f"cost {cost} USD is not 0 or more")
            yield Score(name, model, score, cost)


def _bad_row(path: Path, line: int, row: Sequence[str], trouble: str) -> BadData:
    return BadData(f"{path.name} line {line}: {trouble} ({','.join(row)[:80]}).")


def _messages(entry: Mapping[str, Any], where: str) -> Messages:
    if isinstance(entry.get("text"), str):
        return ({"role": "user", "content": entry["text"]},)
    messages = entry.get("messages")
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        raise BadData(f"{where}: needs a string 'text' or a list of 'messages'.")
    return tuple(messages)


def _said(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    return json.dumps(content, sort_keys=True, ensure_ascii=False)


def _means(cell: NDArray[np.intp], values: Floats, shape: tuple[int, int]) -> Floats:
    """Average values by cell, NaN where a cell has none."""
    given = np.isfinite(values)
    size = shape[0] * shape[1]
    total = np.bincount(cell[given], weights=values[given], minlength=size)
    count = np.bincount(cell[given], minlength=size)
    mean = np.divide(total, count, out=np.full(size, np.nan), where=count > 0)
    table: Floats = np.reshape(mean, shape)
    return table


def _filled(costs: Floats, scores: Floats) -> Floats:
    """Put a model's mean cost where only the cost is missing; 1 everywhere if none is given."""
    given = np.isfinite(costs)
    if not given.any():
        return np.where(np.isfinite(scores), 1.0, np.nan)
    count = given.sum(axis=0)
    total = np.where(given, costs, 0.0).sum(axis=0)
    mean = np.where(count > 0, total / np.maximum(count, 1), costs[given].mean())
    filled: Floats = np.where(np.isfinite(scores) & ~given, mean, costs)
    return filled
