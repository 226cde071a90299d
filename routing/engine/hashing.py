"""Which n-grams a text holds: buckets of hashed character 2-5-grams and word 1-3-grams.

The first and the last words count once more, as what they are: requests say there what they want.

Everything is a few numpy operations over the whole text. A polynomial prefix hash makes each
n-gram's hash out of two of its values: with H(i) = sum over j < i of c(j) A^j modulo 2^32, the
hash of the characters from s to e is (H(e) - H(s)) A^-s.
"""

import codecs
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Python reads a codec from disk when it is first used; a process short of files could not then.
codecs.lookup("utf-32-le")

# Characters looked at of a text: questions stand at either end, pasted matter between them.
HEAD_LENGTH = 800
TAIL_LENGTH = 400

# Buckets of each of the two kinds of n-gram.
BITS = 15
BUCKETS = 1 << BITS

CHARACTER_GRAMS = (2, 3, 4, 5)

# Words at either end of a text that count as its edges.
EDGE_WORDS = 10

# Knuth's multiplicative hash, 2^32 / golden ratio, and odd numbers without a pattern: the mixing
# constants of MurmurHash3 and of xxHash.
BASE = 2654435761
MIXER = np.uint32(0x85EBCA6B)
HEAD_MIXER = np.uint32(0xC2B2AE35)
TAIL_MIXER = np.uint32(0x27D4EB2F)
SHIFT = np.uint32(32 - BITS)
MODULUS = 1 << 32

# A code point is no part of a word, part of one, or a word of its own (Chinese, Japanese kana).
NO_WORD, IN_WORD, WHOLE_WORD = 0, 1, 2
UNSPACED = ((0x3041, 0x30FF), (0x3400, 0x9FFF), (0xF900, 0xFAFF), (0x0E01, 0x0E5B))
PLANE = 0x10000
LETTERS_PER_WORD = 5

# With the line break between head and tail and a space at either end.
LIMIT = HEAD_LENGTH + TAIL_LENGTH + 3

Indices = NDArray[np.intp]
Codes = NDArray[np.uint32]


class Grams(NamedTuple):
    """The distinct buckets that a text fills, ascending: characters (n,), words (m,), edges (k,).

    edges are grams of the first and last EDGE_WORDS words; they share the buckets of words.
    hashes: of its words, pairs and triples, in their order; starts: where each word begins.
    codes: its code points, lower-cased, digits and white space evened out.
    word_count: a script without spaces has about one word per five letters.
    digits, symbols, foreign: shares of its characters, 0 to 1; symbols are neither of a word nor
    space, foreign ones not ASCII.
    """

    characters: Indices
    words: Indices
    edges: Indices
    hashes: tuple[Codes, Codes, Codes]
    starts: Indices
    codes: Codes
    word_count: int
    digits: float
    symbols: float
    foreign: float


def _powers(base: int, count: int) -> Codes:
    powers = [1]
    for _ in range(count - 1):
        powers.append(powers[-1] * base % MODULUS)
    return np.array(powers, dtype=np.uint32)


def _classes() -> NDArray[np.uint8]:
    codes = map(chr, range(PLANE))
    table = np.fromiter((char.isalnum() for char in codes), dtype=np.uint8, count=PLANE)
    for first, last in UNSPACED:
        table[first : last + 1] = WHOLE_WORD
    return table


_POWERS = _powers(BASE, LIMIT + 1)
_INVERSES = _powers(pow(BASE, -1, MODULUS), LIMIT + 1)
_MIXED_INVERSES = _INVERSES * MIXER
_BASE = np.uint32(BASE)
_CLASSES = _classes()
_WORD = re.compile(r"[^\W_]+")
_ZERO, _NINE = np.uint32(ord("0")), np.uint32(ord("9"))
_SPACE, _ASCII = np.uint32(ord(" ")), np.uint32(0x7F)


def clip(text: str) -> str:
    """Return the head and the tail of a text, as much as is looked at."""
    if len(text) <= HEAD_LENGTH + TAIL_LENGTH:
        return text
    return f"{text[:HEAD_LENGTH]}\n{text[-TAIL_LENGTH:]}"


def hash_grams(text: str) -> Grams:
    """Hash a clipped text without regard to case, white space and the values of digits.

    Each n-gram counts once however often it occurs, so that repetition adds no weight.
    Shapes: at most BUCKETS each, ascending. A text of one character has no character gram.
    """
    codes = _codes(text)
    size = len(codes)
    sums = np.zeros(size + 1, dtype=np.uint32)
    np.cumsum(codes * _POWERS[:size], out=sums[1:])
    foreign = np.count_nonzero(codes > _ASCII)
    # The largest code point stands for all those above: most are neither letters nor in use.
    classes = _CLASSES[np.minimum(codes, PLANE - 1) if foreign else codes]
    starts, words = _words(sums, classes)
    whole = int(np.count_nonzero(classes == WHOLE_WORD)) if foreign else 0
    return Grams(
        _characters(sums),
        _buckets(np.concatenate(words) * MIXER),
        _edges(words),
        words,
        starts,
        codes,
        word_count=len(starts) - whole + -(-whole // LETTERS_PER_WORD),
        digits=np.count_nonzero(codes == _ZERO) / size,
        symbols=np.count_nonzero((classes == NO_WORD) & (codes != _SPACE)) / size,
        foreign=foreign / size,
    )


def hash_words(words: str) -> int:
    """Return the hash of one to three words without digits, as Grams.hashes has it."""
    found = 0
    for word in _WORD.findall(words.lower()):
        own = sum(ord(char) * pow(BASE, at, MODULUS) for at, char in enumerate(word))
        found = found * BASE + own
    return found % MODULUS


def count_letters(codes: Codes) -> int:
    """Count the code points that words are made of."""
    return int(np.count_nonzero(_CLASSES[np.minimum(codes, PLANE - 1)]))


def _codes(text: str) -> Codes:
    spaced = f" {' '.join(text.lower().split())[: LIMIT - 2]} "
    codes = np.frombuffer(spaced.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    return np.where((codes >= _ZERO) & (codes <= _NINE), _ZERO, codes)


def _characters(sums: Codes) -> Indices:
    seen = np.zeros(BUCKETS, dtype=np.bool_)
    for length in CHARACTER_GRAMS:
        if len(sums) > length:
            hashes = (sums[length:] - sums[:-length]) * _MIXED_INVERSES[: len(sums) - length]
            seen[hashes >> SHIFT] = True
    return np.flatnonzero(seen)


def _words(sums: Codes, classes: NDArray[np.uint8]) -> tuple[Indices, tuple[Codes, Codes, Codes]]:
    """Return where words start, and the hashes of words, pairs and triples, in their order."""
    parted = (classes[1:] != classes[:-1]) | (classes[1:] == WHOLE_WORD)
    # The text begins and ends with a space, so that a word has a boundary on either side.
    starts = np.flatnonzero(parted & (classes[1:] != NO_WORD)) + 1
    ends = np.flatnonzero(parted & (classes[:-1] != NO_WORD)) + 1
    ones = (sums[ends] - sums[starts]) * _INVERSES[starts]
    twos = ones[:-1] * _BASE + ones[1:]
    return starts, (ones, twos, twos[:-1] * _BASE + ones[2:])


def _edges(words: Sequence[Codes]) -> Indices:
    heads = np.concatenate([grams[:EDGE_WORDS] for grams in words]) * HEAD_MIXER
    tails = np.concatenate([grams[-EDGE_WORDS:] for grams in words]) * TAIL_MIXER
    return _buckets(np.concatenate([heads, tails]))


def _buckets(hashes: Codes) -> Indices:
    """Return the distinct buckets of some hashes; sorting so few beats marking all buckets."""
    found = np.sort((hashes >> SHIFT).astype(np.uint16))
    first = np.ones(len(found), dtype=np.bool_)
    np.not_equal(found[1:], found[:-1], out=first[1:])
    return found[first].astype(np.intp)
