"""What a text shows to the heads: its cues, n-grams and words, and a few numbers of its form."""

from collections.abc import Iterable, Iterator
from math import log2
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from routing.engine import cues, lexicon
from routing.engine.hashing import (
    Codes,
    Grams,
    Hashed,
    Indices,
    Sieve,
    clip,
    count_letters,
    grams_of,
    hash_text,
    hash_words,
    look_up,
    sieve_of,
    sift,
)
from routing.engine.tasks import GROUPS
from routing.engine.words import Known, find_words

# A share of letters in another script that settles the language: less is a quoted name.
SCRIPT_SHARE = 0.3

# Characters looked at for the script of a text.
SCRIPT_SAMPLE = 200

# Stop words that settle a language written in Latin letters: a single one is often shared.
MIN_STOPWORDS = 2

UNDETERMINED = "und"

# Cues overlap ("def" and "python" say the same twice): past this their sum says nothing more.
MAX_LOG_ODDS = 6.0

# Brings log-odds to the size of the other features.
CUE_SCALE = 3.0

# Numbers in Features.dense: a cue sum per group and six of the text's form.
DENSE = len(GROUPS) + 6

# A text longer than both edges has its question in one of them and something pasted between,
# whose words say less. With full weight 31 % of 300 requests for a summary were seen as such, with
# this 51 %.
EDGE_LENGTH = 300
PASTED_WEIGHT = 0.15

# Characters that many texts hold, the more common ones last; any other is rarer.
COMMON = "=();:.,\n" + "zqjxkvbpygfwmucldrhsnioate "

Doubles = NDArray[np.float64]


class Cues(NamedTuple):
    """What one text says: log-odds per task of GROUPS, hardness, its words and its language."""

    tasks: Doubles
    hardness: float
    words: int
    language: str


class Features(NamedTuple):
    """What the heads see of one text.

    dense: (DENSE,) float32, each about -2 to 2: the cues of each group, their hardness, the
    logarithm of the number of words, shares of digits, symbols and characters beyond ASCII, and a
    fence of code. Case, white space and final marks change none.
    words: those whose meaning is known.
    """

    cues: Cues
    grams: Grams
    dense: NDArray[np.float32]
    words: Known


class _Table(NamedTuple):
    """Cue words and phrases: hashes, ascending (n,), and rows of weights and languages, (n,).

    maybe: which hashes can be a cue at all.
    Shapes: weights (n, len(GROUPS) + 1), log-odds and hardness; languages (n, l), 1 or 0.
    """

    hashes: Codes
    rows: Indices
    maybe: Sieve
    weights: Doubles
    languages: Doubles


class _Found(NamedTuple):
    """Rows of the cues that a text holds, and the share of each that counts, both (k,).

    Ascending, so that the order of words does not change the last bit of a sum.
    """

    rows: Indices
    shares: Doubles


class _Mark(NamedTuple):
    """A mark to look for in the lower-cased text, its rarest character, and its row of weights."""

    text: str
    rarest: str
    weights: Doubles


# By name backwards: of languages with as many stop words the first is taken.
_LANGUAGES = tuple(sorted(cues.STOPWORDS, reverse=True))
_SPOKEN = {word for words in cues.STOPWORDS.values() for word in words.split()}


def _weights_of(
    odds: Iterable[tuple[str, float, Iterable[str]]], hard: Iterable[tuple[float, Iterable[str]]]
) -> dict[str, Doubles]:
    """Add up, for each cue of some rows of cues.py, what it says."""
    weights: dict[str, Doubles] = {}
    for task, log_odds, keys in odds:
        for key in keys:
            weights.setdefault(key, np.zeros(len(GROUPS) + 1))[GROUPS.index(task)] += log_odds
    for amount, keys in hard:
        for key in keys:
            weights.setdefault(key, np.zeros(len(GROUPS) + 1))[-1] += amount
    return weights


def _table() -> _Table:
    odds = [(task, odds, words.split()) for task, odds, words in cues.TASK_WORDS]
    odds += [(task, odds, phrases.split("|")) for task, odds, phrases in cues.TASK_PHRASES]
    hard = [(amount, words.split()) for amount, words in cues.HARD_WORDS]
    hard += [(-amount, words.split()) for amount, words in cues.EASY_WORDS]
    hard += [(amount, phrases.split("|")) for amount, phrases in cues.HARD_PHRASES]
    weights = _weights_of(odds, hard)
    keys = sorted({*weights, *_SPOKEN})
    hashes = np.array([hash_words(key) for key in keys], dtype=np.uint32)
    rows = hashes.argsort()
    nothing = np.zeros(len(GROUPS) + 1)
    stopwords = [cues.STOPWORDS[one].split() for one in _LANGUAGES]
    return _Table(
        hashes[rows],
        rows,
        sieve_of(hashes),
        np.array([weights.get(key, nothing) for key in keys]),
        np.array([[key in words for words in stopwords] for key in keys], dtype=np.float64),
    )


def _script_table() -> NDArray[np.uint8]:
    """Number the scripts of cues.py by code point: 1 is the first, 0 none of them."""
    table = np.zeros(1 << 16, dtype=np.uint8)
    for number, (first, last, _) in enumerate(cues.SCRIPTS, start=1):
        table[ord(first) : ord(last) + 1] = number
    return table


def _marks_of(weights: dict[str, Doubles]) -> tuple[_Mark, ...]:
    """Tell the rarest character of each mark: to look for one takes a twentieth of the time."""
    return tuple(_Mark(text, min(text, key=COMMON.find), own) for text, own in weights.items())


_TABLE = _table()
_SCRIPTS = _script_table()
_MARKS = _marks_of(_weights_of(cues.TASK_MARKS, ()))


def read_features(text: str) -> Features:
    """Read a text for the heads; of a long one the head and the tail. A cue counts once.

    Cost: FIGURES.md, CPU. The number of words is extrapolated to the whole text.
    """
    seen = clip(text)
    own, hashed = _read(seen)
    if len(text) > len(seen):
        own = own._replace(words=own.words * len(text) // len(seen))
    return Features(own, grams_of(hashed), _dense(text, own, hashed), find_words(hashed))


def _read(seen: str) -> tuple[Cues, Hashed]:
    """Return cues and hashes of a clipped text, its words in English as far as they are known."""
    hashed = hash_text(seen)
    found = _found(hashed)
    language = _language_of(hashed, found.rows)
    english = None if language == "en" else lexicon.gloss(hashed, language)
    if english is not None:
        hashed, found = english, _found(english)
    return _cues(hashed, found, language), hashed


def _dense(text: str, own: Cues, hashed: Hashed) -> NDArray[np.float32]:
    dense = [min(one, MAX_LOG_ODDS) / CUE_SCALE for one in own.tasks.tolist()]
    dense += (
        own.hardness / CUE_SCALE,
        log2(1 + own.words) / 4 - 1,
        4 * hashed.digits,
        4 * hashed.symbols,
        hashed.foreign,
        float("```" in text),
    )
    return np.array(dense, dtype=np.float32)


def _cues(hashed: Hashed, found: _Found, language: str) -> Cues:
    sums = found.shares.dot(_TABLE.weights.take(found.rows, axis=0))
    for weights, share in _marks(hashed.lowered):
        sums = sums + share * weights
    return Cues(sums[:-1], float(sums[-1]), hashed.word_count, language)


def _found(hashed: Hashed) -> _Found:
    """Return the rows of cue words and phrases that occur, with the share that counts there."""
    likely = sift(_TABLE.maybe, hashed.hashes)
    known, places = look_up(_TABLE.hashes, hashed.hashes.take(likely))
    rows = _TABLE.rows.take(places)
    shares = np.zeros(len(_TABLE.rows))
    shares[rows] = 1.0
    inside_until = len(hashed.codes) - EDGE_LENGTH
    if inside_until > EDGE_LENGTH:
        starts = hashed.starts
        starts = np.concatenate([starts, starts[:-1], starts[:-2]]).take(likely.take(known))
        shares[rows] = PASTED_WEIGHT
        shares[rows[(starts < EDGE_LENGTH) | (starts >= inside_until)]] = 1.0
    found = shares.nonzero()[0]
    return _Found(found, shares.take(found))


def _marks(lowered: str) -> Iterator[tuple[Doubles, float]]:
    long = len(lowered) > 2 * EDGE_LENGTH
    for mark, rarest, weights in _MARKS:
        if rarest in lowered and mark in lowered:
            inside = long and mark not in lowered[:EDGE_LENGTH] + lowered[-EDGE_LENGTH:]
            yield weights, PASTED_WEIGHT if inside else 1.0


def _language_of(hashed: Hashed, rows: Indices) -> str:
    if hashed.foreign:
        script = _language_of_script(hashed.codes[:SCRIPT_SAMPLE])
        if script is not None:
            return script
    counts = np.add.reduce(_TABLE.languages.take(rows, axis=0), axis=0).tolist()
    most = max(counts)
    return _LANGUAGES[counts.index(most)] if most >= MIN_STOPWORDS else UNDETERMINED


def _language_of_script(codes: Codes) -> str | None:
    """Return the language whose script a good share of the letters has, if any."""
    seen = np.bincount(_SCRIPTS.take(codes, mode="clip"), minlength=len(cues.SCRIPTS) + 1)
    enough = SCRIPT_SHARE * count_letters(codes)
    for (_, _, language), count in zip(cues.SCRIPTS, seen[1:].tolist(), strict=True):
        if count > enough:
            return language
    return None
