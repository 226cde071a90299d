"""Prints what prompts of each language are routed to: python -m tests.engine.measure_languages DATA

Each family of templates is left out of training in turn and its prompts are routed at the usual
position, by what was learnt of their task and difficulty. What the picks are worth is predicted
for the task that the template is of, at its judged hardness, and so is what would have been picked
had both been known. Prices are those of candidates.py. It takes six minutes.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from routing.engine.analysis import Analysis, analyse
from routing.engine.axis import difficulty_of
from routing.engine.conversation import read
from routing.engine.heads import Heads
from routing.engine.predictor import predict
from routing.engine.selection import rank
from routing.engine.tasks import TASKS
from routing.engine.training import recipe
from routing.engine.training.artefact import heads_of
from routing.engine.training.difficulty import read_graded
from routing.engine.training.examples import Example
from routing.engine.training.holding_out import SAME, family_of
from routing.engine.training.templating import FOREIGN_FAMILIES, make_parallel
from tests.engine.candidates import POOL

DEFAULT = 7
SHARED_WITH = "de"


class Routed(NamedTuple):
    """What a prompt's pick is worth, and the one made knowing task and hardness: 0 to 1, USD."""

    quality: float
    known_quality: float
    cost_usd: float
    known_cost_usd: float


def routed(example: Example, heads: Heads) -> Routed:
    said = analyse(read([{"role": "user", "content": example.text}]), heads)
    known = rank(predict(truth(example, said), POOL), DEFAULT)
    worth = {one.slug: one for one in known}
    own, best = worth[rank(predict(said, POOL), DEFAULT)[0].slug], known[0]
    return Routed(own.quality, best.quality, own.cost_usd, best.cost_usd)


def truth(example: Example, said: Analysis) -> Analysis:
    tasks = {task: float(task == example.task) for task in TASKS}
    return said._replace(tasks=tasks, difficulty=difficulty_of(example.hardness))


def families(data_dir: Path) -> Iterator[tuple[Heads, list[tuple[str, Example]]]]:
    """Yield heads fitted without a family, and its prompts with their languages."""
    examples, graded = recipe.prepared(data_dir), read_graded(data_dir)
    tasks = {one.task for one in examples if one.language == SHARED_WITH}
    for name in FOREIGN_FAMILIES:
        kept = [one for one in examples if family_of(one.source) != name]
        left_out = [one for one in examples if family_of(one.source) == name]
        same = [one for one in make_parallel(recipe.SEED) if family_of(one.source) == name]
        named = [(one.language, one) for one in left_out] + [(SAME, one) for one in same]
        heads = heads_of(*recipe.fit_heads(kept, graded), recipe.TEMPERATURE)
        yield heads, [(language, one) for language, one in named if one.task in tasks]


def evened(found: dict[str, list[Routed]]) -> list[float]:
    """Return the means over tasks, which languages have in different proportions."""
    means = [[fmean(column) for column in zip(*rows, strict=True)] for rows in found.values()]
    return [fmean(column) for column in zip(*means, strict=True)]


def main(data_dir: Path) -> None:
    found: dict[str, dict[str, list[Routed]]] = defaultdict(lambda: defaultdict(list))
    for heads, prompts in families(data_dir):
        for language, example in prompts:
            found[language][example.task].append(routed(example, heads))
    print("| language | quality | task and hardness known | cost | known |")
    for language, tasks in sorted(found.items()):
        own, best, cost, best_cost = evened(tasks)
        print(f"| {language} | {own:.3f} | {best:.3f} | {cost:.6f} | {best_cost:.6f} |", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
