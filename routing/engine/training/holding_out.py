"""How well prompts are read whose source, or whose data set, the heads have not seen.

Each public source, each family of our templates in all its languages, and all that was written for
it is left out of the training in turn and read by what the others taught, at the temperature of the
artefact. Data sets with grades are left out in rounds, as labels and as grades.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from routing.engine.analysis import NO_VISION_LOG_ODDS, TOOLS_LOG_ODDS, analyse
from routing.engine.evaluation.abilities import Reading
from routing.engine.evaluation.data import Graded, load
from routing.engine.evaluation.groups import Group, judge_groups
from routing.engine.evaluation.labels import expected_calibration_error
from routing.engine.evaluation.trial import reading_of
from routing.engine.features import read_features
from routing.engine.tasks import KIND_OF, TASKS
from routing.engine.training import recipe
from routing.engine.training.artefact import heads_of
from routing.engine.training.design import Design, Floats, design_of
from routing.engine.training.difficulty import read_graded
from routing.engine.training.examples import Example, without_form
from routing.engine.training.fitting import Heads, scores_of, softmax
from routing.engine.training.templating import make_parallel

# What holds the prompts of the other languages, beside the family of the same name.
FOREIGN = "languages-"

# Names the verdict on English prompts that say what the foreign ones say.
SAME = "en, same"

# The source whose prompts come with tools in the request; judged without and with one.
WITH_TOOLS = "bfcl_v4"

# Data sets are left out every third at a time: one by one would take an hour.
ROUNDS = 3

KINDS = tuple(dict.fromkeys(KIND_OF.values()))
_BELONGS = np.array([[KIND_OF[task] == kind for kind in KINDS] for task in TASKS], np.float32)
_KIND_OF_TASK = _BELONGS.argmax(axis=1)
_VISION = np.array([KIND_OF[task] == "vision" for task in TASKS], dtype=np.float32)
_TOOLS = np.array([task == "agent:tools" for task in TASKS], dtype=np.float32)

Rows = NDArray[np.intp]


class Verdict(NamedTuple):
    """What was said of n prompts: share with the right kind, and calibration error, as shares."""

    name: str
    n: int
    accuracy: float
    ece: float


class _Judged(NamedTuple):
    """Of n prompts the probability of the likeliest kind, and whether it is the right one, (n,)."""

    confidence: NDArray[np.float64]
    right: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Trial:
    """All examples with their features, roughened to train on and as they are to judge."""

    examples: Sequence[Example]
    rough: Design
    plain: Design


def prepare(data_dir: Path) -> Trial:
    """Read, make and roughen the examples, as for the artefact itself."""
    random = Random(recipe.SEED)  # noqa: S311 - it has to be repeatable.
    examples = recipe.prepared(data_dir)
    rough = design_of(map(read_features, recipe.roughened_texts(examples, random)))
    return Trial(examples, rough, design_of(read_features(one.text) for one in examples))


def in_parallel(trial: Trial) -> Trial:
    """Return the English of foreign prompts, but for those that are among a trial's examples."""
    known = {_key(one.text) for one in trial.examples}
    examples = [one for one in make_parallel(recipe.SEED) if _key(one.text) not in known]
    design = design_of(read_features(one.text) for one in examples)
    return Trial(examples, design, design)


def judge_sources(trial: Trial) -> Iterator[Verdict]:
    """Yield a verdict on each source left out; a family of templates is judged in English.

    Prompts of vision tasks are told by their attachment and not judged here.
    """
    for name in sorted({family_of(one.source) for one in trial.examples}):
        heads, seen = _left_out(trial, name)
        rows = np.array([row for row in seen if trial.examples[row].language == "en"])
        yield _verdict(name, _judged(trial, heads, rows))
        if name == WITH_TOOLS:
            yield _verdict(f"{name}, tool", _judged(trial, heads, rows, TOOLS_LOG_ODDS))


def judge_languages(trial: Trial, parallel: Trial | None = None) -> Iterator[Verdict]:
    """Yield a verdict on each language of each family left out, on the tasks that all of them have.

    The share right is the mean over tasks, which languages have in different proportions. Prompts
    that say in English what foreign ones say are judged by the same heads, where given.
    """
    for name in sorted({family_of(one.source) for one in trial.examples if one.language != "en"}):
        heads, seen = _left_out(trial, name)
        spoken = _by_language(trial.examples, seen)
        tasks = [{trial.examples[row].task for row in rows} for rows in spoken.values()]
        shared = set.intersection(*tasks)
        for language, rows in sorted(spoken.items()):
            yield _evenly(f"{name}, {language}", trial, heads, rows, shared)
        if parallel is not None:
            own = [family_of(one.source) == name for one in parallel.examples]
            if any(own):
                yield _evenly(f"{name}, {SAME}", parallel, heads, np.flatnonzero(own), shared)


def _evenly(name: str, trial: Trial, heads: Heads, every: Rows, tasks: set[str]) -> Verdict:
    rows = np.array([row for row in every if trial.examples[row].task in tasks])
    judged = _judged(trial, heads, rows)
    task_of = recipe.targets_of(trial.examples)[rows]
    even = np.mean([judged.right[task_of == task].mean() for task in set(task_of)])
    return _verdict(name, judged)._replace(accuracy=float(even))


def judge_data_sets(data_dir: Path) -> list[Group]:
    """Judge each data set and all together by heads that have not seen it, over five splits."""
    graded = load(data_dir)
    sets = np.array([prompt.keys["dataset"] for prompt in graded.prompts])
    names = sorted(set(sets.tolist()))
    places, parts = [], []
    for start in range(ROUNDS):
        places.append(np.flatnonzero(np.isin(sets, names[start::ROUNDS])))
        parts.append(_unseen(data_dir, graded.of_prompts(places[-1])))
    order = np.argsort(np.concatenate(places))
    reading = Reading(
        parts[0].tasks,
        np.concatenate([one.posterior for one in parts])[order],
        np.concatenate([one.difficulty for one in parts])[order],
    )
    return judge_groups(graded, reading, "dataset")


def _unseen(data_dir: Path, left_out: Graded) -> Reading:
    """Read the prompts of some data sets by heads fitted on everything else."""
    texts = {_key(text) for one in left_out.prompts for text in (one.text, without_form(one.text))}
    examples = [one for one in recipe.prepared(data_dir) if _key(one.text) not in texts]
    others = [one for one in read_graded(data_dir) if _key(one.text) not in texts]
    heads = heads_of(*recipe.fit_heads(examples, others), recipe.TEMPERATURE)
    return reading_of(left_out, lambda conversation: analyse(conversation, heads))


def _key(text: str) -> str:
    return "".join(filter(str.isalnum, text.lower()))


def family_of(source: str) -> str:
    """Return the source, or the family whose foreign prompts it is."""
    return source.removeprefix(FOREIGN)


def _left_out(trial: Trial, name: str) -> tuple[Heads, list[int]]:
    """Return heads fitted without a source or family, and the rows of it that can be judged."""
    outside = np.array([family_of(one.source) == name for one in trial.examples])
    rows = np.flatnonzero(outside).tolist()
    heads = recipe.fit_tasks(trial.rough, trial.examples, np.flatnonzero(~outside))
    return heads, [row for row in rows if _is_judged(trial.examples[row])]


def _judged(trial: Trial, heads: Heads, rows: Rows, tools: float = 0.0) -> _Judged:
    scores = scores_of(heads, trial.plain.part(rows)) / np.float32(recipe.TEMPERATURE)
    marks = NO_VISION_LOG_ODDS * _VISION + tools * _TOOLS
    shares: Floats = softmax(scores + marks.astype(np.float32)) @ _BELONGS
    said = _KIND_OF_TASK[recipe.targets_of(trial.examples)[rows]]
    return _Judged(shares.max(axis=1).astype(np.float64), shares.argmax(axis=1) == said)


def _verdict(name: str, judged: _Judged) -> Verdict:
    error = expected_calibration_error(judged.confidence, judged.right)
    return Verdict(name, len(judged.right), float(judged.right.mean()), error)


def _is_judged(example: Example) -> bool:
    return KIND_OF[example.task] != "vision"


def _by_language(examples: Sequence[Example], rows: Sequence[int]) -> dict[str, Rows]:
    languages = np.array([examples[row].language for row in rows])
    return {str(one): np.array(rows)[languages == one] for one in set(languages)}
