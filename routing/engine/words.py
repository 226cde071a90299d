"""What a text's words mean: vectors of 14,000 words, drawn from a public sentence encoder.

A word that no training source holds says something all the same, where its vector is like those of
words that some hold. words.npz is part of the model: training/word_vectors.py made it.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from routing.engine.hashing import EDGE_WORDS, Codes, Grams

FILE = Path(__file__).with_name("words.npz")

# Numbers of a word's vector, and of what a text's words say: all of them, the first, the last.
SIZE = 128
WORDS = 3 * SIZE

# The codes of a vector's numbers are four bits; this one stands for 0.
ZERO = 8

Floats = NDArray[np.float32]


class _Table(NamedTuple):
    """Known words by their hash, ascending (n,); vectors (n, SIZE) times weights (n,); squares."""

    hashes: Codes
    vectors: Floats
    squares: Floats


def _load() -> _Table:
    """Unpack words.npz: hashes uint32, codes uint8, two a byte, scale (SIZE,), weights float16."""
    with np.load(FILE, allow_pickle=False) as file:
        codes = file["codes"]
        levels = np.empty((len(codes), SIZE), dtype=np.float32)
        levels[:, 0::2], levels[:, 1::2] = codes & 15, codes >> 4
        weights = file["weights"].astype(np.float32)
        vectors = (levels - np.float32(ZERO)) * file["scale"] * weights[:, None]
        return _Table(file["hashes"], vectors, weights * weights)


_TABLE = _load()
_LAST = len(_TABLE.hashes) - 1


def read_words(grams: Grams) -> Floats:
    """Return the means of the vectors of a text's words, (WORDS,): of all, the first, the last.

    Each word counts once among all. A mean is divided by the root of the sum of squared weights, so
    that many words weigh as n-grams do; where no word is known it is 0.
    """
    words = grams.hashes[: len(grams.starts)]
    places = _TABLE.hashes.searchsorted(words)
    np.minimum(places, _LAST, out=places)
    known = _TABLE.hashes.take(places) == words
    every = places[known]
    every.sort()
    distinct = every[_firsts(every)]
    first = places[:EDGE_WORDS][known[:EDGE_WORDS]]
    last = places[-EDGE_WORDS:][known[-EDGE_WORDS:]]
    return np.concatenate([_mean(distinct), _mean(first), _mean(last)])


def _firsts(ascending: NDArray[np.intp]) -> NDArray[np.bool_]:
    firsts = np.ones(len(ascending), dtype=np.bool_)
    firsts[1:] = ascending[1:] != ascending[:-1]
    return firsts


def _mean(rows: NDArray[np.intp]) -> Floats:
    # Row by row, so that the sum does not depend on the processor.
    total: Floats = np.add.reduce(_TABLE.vectors.take(rows, axis=0), axis=0)
    squares = float(np.add.reduce(_TABLE.squares.take(rows)))
    return total * np.float32(squares**-0.5) if squares else total
