"""Which prompts calibrate and which judge, and which models are compared on which prompts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from routing.engine.evaluation.data import BadData, Graded, Prompt

Ints = NDArray[np.intp]

# Fewer prompts say nothing: the standard error of a mean score of .5 over 20 is 11 points. Nor are
# they worth a pool of their own below this share of all: random gaps make hundreds of pools.
MIN_PROMPTS = 20
MIN_SHARE = 0.01

# Share of a pool's prompts that abilities are fitted on, unless told otherwise.
CALIBRATING = 0.3


@dataclass(frozen=True, slots=True)
class Pool:
    """Prompts that the same models were all graded on, with no cell missing."""

    rows: Ints
    models: Ints


def pools(graded: Graded) -> list[Pool]:
    """Divide the data into complete tables, the commonest set of models first.

    Each takes all prompts that every model of its set was graded on; what is left is divided
    again. Sets with fewer prompts than MIN_PROMPTS or MIN_SHARE are left out. Raises BadData if
    none remains.
    """
    known = np.isfinite(graded.scores)
    enough = max(MIN_PROMPTS, MIN_SHARE * len(known))
    left = np.arange(len(known))
    found = []
    while left.size >= enough:
        models = _commonest(known[left])
        inside = known[np.ix_(left, models)].all(axis=1)
        if models.size > 1 and inside.sum() >= enough:
            found.append(Pool(left[inside], models))
        left = left[~inside]
    if not found:
        raise BadData(f"No {MIN_PROMPTS} prompts were graded on the same two or more models.")
    return found


def _commonest(known: NDArray[np.bool_]) -> Ints:
    """Return the set of models that most rows have exactly, the larger on a tie."""
    sets = Counter(row.tobytes() for row in known)
    common = max(sets, key=lambda one: (sets[one], sum(one), one))
    return np.flatnonzero(np.frombuffer(common, dtype=bool))


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


def folds(prompts: Sequence[Prompt], count: int, seed: int) -> list[Ints]:
    """Divide the rows of prompts into at most `count` parts; equal texts are in one, as above."""
    lots = [_lot(prompt.text, seed) for prompt in prompts]
    place = {lot: at % count for at, lot in enumerate(sorted(set(lots)))}
    part_of = np.array([place[lot] for lot in lots])
    return [np.flatnonzero(part_of == part) for part in sorted(set(place.values()))]


def _lot(text: str, seed: int) -> bytes:
    plain = " ".join(text.split()).casefold()
    return blake2b(f"{seed}:{plain}".encode("utf-8", "replace"), digest_size=16).digest()
