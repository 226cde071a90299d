"""What a text's words mean: vectors of 14,000 words, drawn from a public sentence encoder.

A word that no training source holds says something all the same, where its vector is like those of
words that some hold. words.npz is part of the model: training/word_vectors.py made it.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from routing.engine.hashing import EDGE_WORDS, Codes, Grams, Indices

FILE = Path(__file__).with_name("words.npz")

# Numbers of a word's vector, and of what a text's words say: all of them, the first, the last.
SIZE = 128
WORDS = 3 * SIZE

# The codes of a vector's numbers are four bits; this one stands for 0.
ZERO = 8

Floats = NDArray[np.float32]


class _Table(NamedTuple):
    """Known words by their hash, ascending (n,); codes (n, SIZE / 2) of their vectors, two a byte.

    scale: (SIZE,), what a step of a code is; weights: (n,), what a word weighs, and their squares.
    """

    hashes: Codes
    codes: NDArray[np.uint8]
    scale: Floats
    weights: Floats
    squares: Floats


def _load() -> _Table:
    with np.load(FILE, allow_pickle=False) as file:
        weights = file["weights"].astype(np.float32)
        return _Table(file["hashes"], file["codes"], file["scale"], weights, weights * weights)


_TABLE = _load()
_LAST = len(_TABLE.hashes) - 1
_FROM_FIRST, _FROM_LAST = len(_TABLE.hashes), 2 * len(_TABLE.hashes)
_EDGES = slice(EDGE_WORDS), slice(-EDGE_WORDS, None)


class Known(NamedTuple):
    """A text's known words: each once, the first ones, the last ones; sizes says how many of each.

    rows: of the n words of the table; those of the first ones count on from n, of the last from 2n.
    """

    rows: Indices
    sizes: tuple[int, int, int]


def find_words(grams: Grams) -> Known:
    """Find the words of a text that have a vector."""
    words = grams.hashes[: len(grams.starts)]
    places = _TABLE.hashes.searchsorted(words)
    np.minimum(places, _LAST, out=places)
    known = _TABLE.hashes.take(places) == words
    every = places[known]
    every.sort()
    firsts = np.ones(len(every), dtype=np.bool_)
    np.not_equal(every[1:], every[:-1], out=firsts[1:])
    kinds = every[firsts], *(places[edge][known[edge]] for edge in _EDGES)
    rows = np.concatenate([kinds[0], kinds[1] + _FROM_FIRST, kinds[2] + _FROM_LAST])
    return Known(rows, (len(kinds[0]), len(kinds[1]), len(kinds[2])))


def vector_of(known: Known) -> Floats:
    """Return the means of the vectors of words, (WORDS,): of all, of the first, of the last ones.

    A mean is divided by the root of the sum of squared weights, so that many words weigh as n-grams
    do; where no word is known it is 0.
    """
    parts = np.split(known.rows % len(_TABLE.hashes), np.cumsum(known.sizes)[:-1])
    return np.concatenate([_mean(rows) for rows in parts])


def projected(weights: Floats) -> Floats:
    """Return what each row of Known says by weights of (WORDS, c), and its square: (3n, c + 1).

    With it, weighted(known) is vector_of(known) @ weights in half the time, up to the last bits,
    which depend on the kind of processor.
    """
    vectors, outputs = _vectors(slice(None)), weights.shape[1]
    table = np.empty((3, len(vectors), outputs + 1), dtype=np.float32)
    for at, part in enumerate(np.split(weights, 3)):
        table[at, :, :outputs] = vectors @ part
        table[at, :, outputs] = _TABLE.squares
    return table.reshape(-1, outputs + 1)


def weighted(known: Known, table: Floats) -> Floats:
    """Return the sum of what words say by a table of projected(), (c,)."""
    gathered, start = table.take(known.rows, axis=0), 0
    total = np.zeros(table.shape[1], dtype=np.float32)
    for size in known.sizes:
        if size:
            one = np.add.reduce(gathered[start : start + size], axis=0)
            total += one * one[-1] ** -0.5
            start += size
    return total[:-1]


def _vectors(rows: Indices | slice) -> Floats:
    """Unpack the vectors of some words, times their weights, (k, SIZE)."""
    codes = _TABLE.codes[rows]
    vectors = np.empty((len(codes), SIZE), dtype=np.float32)
    vectors[:, 0::2], vectors[:, 1::2] = codes & 15, codes >> 4
    vectors -= np.float32(ZERO)
    vectors *= _TABLE.scale
    vectors *= _TABLE.weights[rows, None]
    return vectors


def _mean(rows: Indices) -> Floats:
    total: Floats = np.add.reduce(_vectors(rows), axis=0)
    squares = float(np.add.reduce(_TABLE.squares.take(rows)))
    return total * np.float32(squares**-0.5) if squares else total
