"""What a text's words mean: vectors of 14,000 words, drawn from a public sentence encoder.

A word that no training source holds says something all the same, where its vector is like those of
words that some hold. words.npz is part of the model: training/word_vectors.py made it.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from routing.engine.hashing import EDGE_WORDS, Codes, Hashed, Indices, distinct, look_up

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
# What follows the last row.
_END = np.array([len(_TABLE.hashes)])


class Known(NamedTuple):
    """The rows of a text's known words in the table: each once, the first ones, the last ones."""

    every: Indices
    first: Indices
    last: Indices


def find_words(hashed: Hashed) -> Known:
    """Find the words of a text that have a vector."""
    words = hashed.hashes[: len(hashed.starts)]
    known, rows = look_up(_TABLE.hashes, words)
    first, last = known.searchsorted((EDGE_WORDS, len(words) - EDGE_WORDS)).tolist()
    return Known(distinct(np.concatenate([rows, _END])), rows[:first], rows[last:])


def vector_of(known: Known) -> Floats:
    """Return the means of the vectors of words, (WORDS,): of all, of the first, of the last ones.

    A mean is divided by the root of the sum of squared weights, so that many words weigh as n-grams
    do; where no word is known it is 0.
    """
    return np.concatenate([_mean(rows) for rows in known])


def projected(weights: Floats) -> Floats:
    """Return what each of n words says by weights of (WORDS, c), and its square: (3, n, c + 1).

    With it, weighted(known) is vector_of(known) @ weights in half the time, up to the last bits,
    which depend on the kind of processor.
    """
    vectors, outputs = _vectors(slice(None)), weights.shape[1]
    table = np.empty((3, len(vectors), outputs + 1), dtype=np.float32)
    for at, part in enumerate(np.split(weights, 3)):
        table[at, :, :outputs] = vectors @ part
        table[at, :, outputs] = _TABLE.squares
    return table


def weighted(known: Known, table: Floats) -> Floats:
    """Return the sum of what words say by a table of projected(), (c,)."""
    total = np.zeros(table.shape[2], dtype=np.float32)
    for rows, kind in zip(known, table, strict=True):
        if len(rows):
            one = np.add.reduce(kind.take(rows, axis=0), axis=0)
            total += one * one[-1] ** -0.5
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
