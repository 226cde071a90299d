"""The features of many prompts as one sparse matrix, multiplied in slices that BLAS can chew."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from routing.engine.features import DENSE, Features
from routing.engine.hashing import BUCKETS
from routing.engine.words import WORDS, vector_of

Floats = NDArray[np.float32]
Rows = NDArray[np.intp]

COLUMNS = 2 * BUCKETS


@dataclass(frozen=True, slots=True)
class Design:
    """Features of n prompts: hashed ones as column numbers and values, the others dense.

    Shapes: ends (n + 1,), columns and values (ends[-1],), dense (n, DENSE), words (n, WORDS).
    A prompt's hashed values are 1 / sqrt(number of its grams), for each kind of gram apart.
    """

    ends: Rows
    columns: NDArray[np.uint16]
    values: Floats
    dense: Floats
    words: Floats

    def __len__(self) -> int:
        return len(self.dense)

    def hashed(self, rows: Rows) -> Floats:
        """Spell out some prompts' hashed features, (len(rows), COLUMNS)."""
        spelt = np.zeros((len(rows), COLUMNS), dtype=np.float32)
        for at, row in enumerate(rows):
            span = slice(self.ends[row], self.ends[row + 1])
            # Edges share the buckets of words: the few that fall on a word's overwrite it.
            spelt[at, self.columns[span]] = self.values[span]
        return spelt

    def part(self, rows: Rows) -> "Design":
        """Return the features of some prompts alone."""
        spans = [slice(self.ends[row], self.ends[row + 1]) for row in rows]
        ends = np.concatenate([[0], np.cumsum([one.stop - one.start for one in spans])])
        return Design(
            ends.astype(np.intp),
            np.concatenate([self.columns[one] for one in spans]),
            np.concatenate([self.values[one] for one in spans]),
            self.dense[rows],
            self.words[rows],
        )


def design_of(prompts: Iterable[Features]) -> Design:
    """Collect the features of prompts."""
    columns: list[NDArray[np.uint16]] = []
    values: list[Floats] = []
    dense: list[Floats] = []
    words: list[Floats] = []
    for one in prompts:
        columns.append(one.grams.rows.astype(np.uint16))
        values.append(np.repeat(_lengths(one.grams.sizes), one.grams.sizes))
        dense.append(one.dense)
        words.append(vector_of(one.words))
    ends = np.concatenate([[0], np.cumsum([len(one) for one in columns])]).astype(np.intp)
    return Design(
        ends,
        np.concatenate([*columns, np.empty(0, np.uint16)]),
        np.concatenate([*values, np.empty(0, np.float32)]),
        np.array(dense, dtype=np.float32).reshape(-1, DENSE),
        np.array(words, dtype=np.float32).reshape(-1, WORDS),
    )


def _lengths(sizes: Sequence[int]) -> Floats:
    return (1 / np.sqrt(np.maximum(sizes, 1))).astype(np.float32)
