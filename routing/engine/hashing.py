"""Which n-grams a text holds: buckets of hashed character 2-5-grams and word 1-3-grams.

The first and the last words count once more, as what they are: requests say there what they want.

Everything is a few numpy operations over the whole text. A polynomial prefix hash makes each
n-gram's hash out of two of its values: with H(i) = sum over j < i of c(j) A^j modulo 2^32, the
hash of the characters from s to e is (H(e) - H(s)) A^-s.
"""

import codecs
import re
from functools import cache
from typing import NamedTuple, TypeVar

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

# NULs after a text, so that as many grams begin at each of its places.
PADDING = CHARACTER_GRAMS[-1] - CHARACTER_GRAMS[0]

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
# Vowel signs of India's scripts stand within words; full stops and the sign of omission do not.
INDIC, INDIC_MARKS = slice(0x0900, 0x0E00), [0x0964, 0x0965, 0x0970]
PLANE = 0x10000
LAST_SPACE = 0x3000
LETTERS_PER_WORD = 5

# With the line break between head and tail and a space at either end.
LIMIT = HEAD_LENGTH + TAIL_LENGTH + 3

Indices = NDArray[np.intp]
Codes = NDArray[np.uint32]
Sieve = NDArray[np.bool_]
LOWER_HALF = np.uint32(0xFFFF)
Number = TypeVar("Number", np.uint32, np.intp)


class Hashed(NamedTuple):
    """A clipped text, and its words by their hashes.

    sums: H(0) to H(its length), the last PADDING times more.
    hashes: of its w words, then w - 1 pairs and w - 2 triples, in their order; starts: (w,) where
    each word begins.
    lowered: the text in lower case. codes: its code points, digits and white space evened out.
    word_count: a script without spaces has about one word per five letters.
    digits, symbols, foreign: shares of its characters, 0 to 1; symbols are neither of a word nor
    space, foreign ones not ASCII.
    """

    sums: Codes
    hashes: Codes
    starts: Indices
    lowered: str
    codes: Codes
    word_count: int
    digits: float
    symbols: float
    foreign: float


class Grams(NamedTuple):
    """The distinct buckets that a text fills: n of characters, m of words, k of its edges.

    rows: (n + m + k,) those of the heads' table, one kind after the other, each ascending: words
    follow the BUCKETS of characters. edges are grams of the first and last EDGE_WORDS words; they
    share the rows of words. sizes: n, m and k.
    """

    rows: Codes
    sizes: tuple[int, int, int]


class _Spelt(NamedTuple):
    """A text as code points between NULs, which are no part of a word and add 0 to any hash.

    codes, classes: (1 + size + PADDING,); counts are those of Hashed.
    """

    codes: Codes
    classes: NDArray[np.uint8]
    whole: int
    digits: int
    symbols: int
    foreign: int


def powers(base: int, count: int) -> Codes:
    """Return the first powers of a number modulo MODULUS, (count,)."""
    powers = [1]
    for _ in range(count - 1):
        powers.append(powers[-1] * base % MODULUS)
    return np.array(powers, dtype=np.uint32)


def _classes() -> NDArray[np.uint8]:
    codes = map(chr, range(PLANE))
    table = np.fromiter((char.isalnum() for char in codes), dtype=np.uint8, count=PLANE)
    table[INDIC], table[INDIC_MARKS] = IN_WORD, NO_WORD
    for first, last in UNSPACED:
        table[first : last + 1] = WHOLE_WORD
    return table


_POWERS = powers(BASE, LIMIT)
# Of the NULs around a text as well, whose powers do not matter.
_POWERS_BETWEEN = np.concatenate([_POWERS[:1], _POWERS, _POWERS[:PADDING]])
_INVERSES = powers(pow(BASE, -1, MODULUS), LIMIT)
_MIXED_INVERSES = _INVERSES * MIXER
_BASE = np.uint32(BASE)
_CLASSES = _classes()
_WORD = re.compile(r"[^\W_]+")
_ZERO, _TEN = np.uint32(ord("0")), np.uint32(10)
_SPACE, _ASCII = np.uint32(ord(" ")), np.uint32(0x7F)

# bytes.translate() evens out and classifies ASCII in a third of numpy's time.
_DIGITS = bytes(range(ord("0"), ord("9") + 1))
_SPACES = [code for code in range(LAST_SPACE + 1) if chr(code).isspace()]
_OTHER_SPACES = [chr(code) for code in _SPACES if code != _SPACE]
_EVEN = bytes(
    ord("0") if code in _DIGITS else ord(" ") if code in _SPACES else code for code in range(256)
)
_ASCII_CLASSES = _CLASSES[:256].tobytes()
_PLAIN = bytes(code for code in range(128) if _CLASSES[code] or code == _SPACE)

_EDGE_MIXERS = np.array([HEAD_MIXER, TAIL_MIXER])
# Kinds of grams one after the other, and what follows the last.
_KIND = np.uint32(BUCKETS)
_KINDS = np.array([BUCKETS, 2 * BUCKETS], dtype=np.uint32)
_END = np.array([3 * BUCKETS], dtype=np.uint32)


def clip(text: str) -> str:
    """Return the head and the tail of a text, as much as is looked at."""
    if len(text) <= HEAD_LENGTH + TAIL_LENGTH:
        return text
    return f"{text[:HEAD_LENGTH]}\n{text[-TAIL_LENGTH:]}"


def hash_text(text: str) -> Hashed:
    """Hash a clipped text without regard to case, white space and the values of digits."""
    lowered = text.lower()
    spelt = _spell_ascii(lowered) if lowered.isascii() else _spell(lowered)
    codes = spelt.codes
    size = len(codes) - 1 - PADDING
    sums = np.add.accumulate(codes * _POWERS_BETWEEN[: len(codes)], dtype=np.uint32)
    starts, words = _words(sums, spelt)
    return Hashed(
        sums,
        _runs(words),
        starts,
        lowered,
        codes[1 : size + 1],
        word_count=len(starts) - spelt.whole + -(-spelt.whole // LETTERS_PER_WORD),
        digits=spelt.digits / size,
        symbols=spelt.symbols / size,
        foreign=spelt.foreign / size,
    )


def reworded(text: Hashed, words: Codes, starts: Indices) -> Hashed:
    """Return a text with the hashes of other words, (w,), in the place of its own."""
    return text._replace(hashes=_runs(words), starts=starts)


def grams_of(text: Hashed) -> Grams:
    """Return the buckets of a text's n-grams.

    Each counts once however often it occurs, so that repetition adds no weight.
    Shapes: at most BUCKETS of each kind. A text of one character has no character gram.
    """
    sums, hashes = text.sums, text.hashes
    # At each place four differences; those past the end repeat the grams that end there.
    places = len(sums) - PADDING - 2
    spans = np.ndarray((len(CHARACTER_GRAMS), places), np.uint32, sums, 2 * 4, (4, 4))
    characters = (spans - sums[:places]) * _MIXED_INVERSES[:places]
    edges, mixers = _edges(len(text.starts))
    every = np.concatenate([characters.ravel(), hashes * MIXER, hashes.take(edges) * mixers, _END])
    every >>= SHIFT
    # Added to views: every[...] += would copy each part once more.
    of_words, of_edges = every[characters.size :], every[-1 - len(edges) :]
    of_words += _KIND
    of_edges += _KIND
    every[-1] = 3 * BUCKETS
    rows = distinct(every)
    first_word, first_edge = rows.searchsorted(_KINDS).tolist()
    edge_rows = rows[first_edge:]
    edge_rows -= _KIND
    return Grams(rows, (first_word, first_edge - first_word, len(edge_rows)))


def distinct(numbers: NDArray[Number]) -> NDArray[Number]:
    """Sort numbers and return each of them once, the largest left out.

    To sort 4,000 and drop the repeated takes 18 us, to mark places and look for the marks 26.
    """
    numbers.sort()
    found: NDArray[Number] = numbers.take((numbers[1:] != numbers[:-1]).nonzero()[0])
    return found


def hash_words(words: str) -> int:
    """Return the hash of one to three words without digits, as Hashed.hashes has it."""
    found = 0
    for word in _WORD.findall(words.lower()):
        own = sum(ord(char) * pow(BASE, at, MODULUS) for at, char in enumerate(word))
        found = found * BASE + own
    return found % MODULUS


def sieve_of(hashes: Codes) -> Sieve:
    """Mark some hashes by their lower 16 bits; the upper ones are 0 for any single character."""
    sieve = np.zeros(1 << 16, dtype=np.bool_)
    sieve[hashes & LOWER_HALF] = True
    return sieve


def sift(sieve: Sieve, hashes: Codes) -> Indices:
    """Return where hashes stand, counted through all axes, that can be among the marked ones."""
    return sieve.take((hashes & LOWER_HALF).ravel()).nonzero()[0]


def look_up(table: Codes, hashes: Codes) -> tuple[Indices, Indices]:
    """Return where those hashes stand that an ascending table holds, and their places in it."""
    places = table.searchsorted(hashes)
    # A hash above all of the table is compared to the last one, which it is not.
    held = (table.take(places, mode="clip") == hashes).nonzero()[0]
    return held, places.take(held)


def count_letters(codes: Codes) -> int:
    """Count the code points that words are made of."""
    return int(np.count_nonzero(_CLASSES.take(codes, mode="clip")))


def _spell_ascii(lowered: str) -> _Spelt:
    evened = lowered.encode("ascii").translate(_EVEN).strip()
    # Half the time of splitting and joining: each turn halves the longest run of spaces.
    while b"  " in evened:
        evened = evened.replace(b"  ", b" ")
    spaced = b"\0 %b \0\0\0" % evened
    return _Spelt(
        np.frombuffer(spaced, dtype=np.uint8).astype(np.uint32),
        np.frombuffer(spaced.translate(_ASCII_CLASSES), dtype=np.uint8),
        whole=0,
        digits=evened.count(b"0"),
        symbols=len(evened.translate(None, _PLAIN)),
        foreign=0,
    )


def _spell(lowered: str) -> _Spelt:
    for space in _OTHER_SPACES:
        if space in lowered:
            lowered = lowered.replace(space, " ")
    while "  " in lowered:
        lowered = lowered.replace("  ", " ")
    spaced = f"\0 {lowered.strip()[: LIMIT - 2]} \0\0\0"
    codes = np.frombuffer(spaced.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    digits = codes - _ZERO < _TEN
    codes = np.where(digits, _ZERO, codes)
    # The largest code point stands for all those above: most are neither letters nor in use.
    classes = _CLASSES.take(codes, mode="clip")
    plain = np.count_nonzero(classes) + np.count_nonzero(codes == _SPACE)
    return _Spelt(
        codes,
        classes,
        whole=int(np.count_nonzero(classes == WHOLE_WORD)),
        digits=int(np.count_nonzero(digits)),
        symbols=len(codes) - 1 - PADDING - int(plain),
        foreign=int(np.count_nonzero(codes > _ASCII)),
    )


def _words(sums: Codes, spelt: _Spelt) -> tuple[Indices, Codes]:
    """Return where words start, and their hashes."""
    before, classes = spelt.classes[:-1], spelt.classes[1:]
    parted = classes != before
    if spelt.whole:
        parted |= classes == WHOLE_WORD
        starts = (parted & (classes != NO_WORD)).nonzero()[0]
        ends = (parted & (before != NO_WORD)).nonzero()[0]
    else:
        bounds = parted.nonzero()[0]
        starts, ends = bounds[::2], bounds[1::2]
    return starts, (sums.take(ends) - sums.take(starts)) * _INVERSES.take(starts)


def _runs(ones: Codes) -> Codes:
    """Return the hashes of words, and behind them of pairs and triples of them."""
    twos = ones[:-1] * _BASE + ones[1:]
    return np.concatenate([ones, twos, twos[:-1] * _BASE + ones[2:]])


@cache
def _edges(words: int) -> tuple[Indices, Codes]:
    """Return where the first and the last grams stand among the hashes, and what mixes each."""
    every = np.arange(max(3 * words - 3, words))
    kinds = every[:words], every[words : 2 * words - 1], every[2 * words - 1 :]
    parts = [kind[:EDGE_WORDS] for kind in kinds] + [kind[-EDGE_WORDS:] for kind in kinds]
    edges = np.concatenate(parts)
    return edges, _EDGE_MIXERS.repeat(len(edges) // 2)
