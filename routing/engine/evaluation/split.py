"""Which prompts calibrate and which judge, and which models are compared on which prompts."""

from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from routing.engine.evaluation.data import BadData, Graded, Prompt

Ints = NDArray[np.intp]

# Fewer say nothing: the standard error of a mean score of .5 over 20 is 11 points.
MIN_PROMPTS = 20


@dataclass(frozen=True, slots=True)
class Pool:
    """Prompts that the same models were all graded on, with no cell missing."""

    rows: Ints
    models: Ints


def pools(graded: Graded) -> list[Pool]:
    """Divide the data into complete tables, the commonest set of models first.

    Each takes all prompts that every model of its set was graded on; what is left is divided
    again. Sets with fewer than MIN_PROMPTS prompts are left out.
    """
    known = np.isfinite(graded.scores)
    left = np.arange(len(graded.prompts))
    found = []
    while left.size >= MIN_PROMPTS:
        sets = Counter(row.tobytes() for row in known[left])
        common = min(sets, key=lambda one: (-sets[one], one))
        models = np.flatnonzero(np.frombuffer(common, dtype=bool))
        inside = known[np.ix_(left, models)].all(axis=1)
        if sets[common] < MIN_PROMPTS and inside.sum() < MIN_PROMPTS:
            break
        if inside.sum() >= MIN_PROMPTS and models.size > 1:
            found.append(Pool(left[inside], models))
        left = left[~inside]
    if not found:
        raise BadData(f"No {MIN_PROMPTS} prompts were graded on the same two or more models.")
    return found


def split(prompts: tuple[Prompt, ...], share: float, seed: int) -> tuple[Ints, Ints]:
    """Return the rows that calibrate and those that judge; equal texts stay on one side.

    Texts are equal if they differ in white space or case alone. Which side a text is on depends
    on itself, the other texts and the seed, not on the order of the rows.
    """
    lots = [_lot(prompt.text, seed) for prompt in prompts]
    order = sorted(set(lots))
    cut = min(max(round(share * len(order)), 1), len(order) - 1)
    first = set(order[:cut])
    inside = np.array([lot in first for lot in lots])
    return np.flatnonzero(inside), np.flatnonzero(~inside)


def _lot(text: str, seed: int) -> bytes:
    plain = " ".join(text.split()).casefold()
    return blake2b(f"{seed}:{plain}".encode("utf-8", "replace"), digest_size=16).digest()
