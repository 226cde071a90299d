"""What a text shows to the heads: its cues, its n-grams, and a few numbers about its form."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from math import log2
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from routing.engine import cues
from routing.engine.hashing import Grams, clip, hash_grams
from routing.engine.tasks import GROUPS

# A share of letters in another script that settles the language: less is a quoted name.
SCRIPT_SHARE = 0.3

# Greek is the first of cues.SCRIPTS.
FIRST_SCRIPT = "\u0370"

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

# Languages whose cues are marks, for want of spaces or because words carry endings.
MARKED_LANGUAGES = frozenset({"zh", "ja", "ko", "ar", "hi"})

# Digits, signs and underscores part words; accented letters do not.
_WORD = re.compile(r"[^\W\d_]+")
_ASCII_SEPARATORS = {code: " " for code in range(128) if not chr(code).isalpha()}


class Cues(NamedTuple):
    """What one text says: log-odds per task of GROUPS, hardness, its words and its language."""

    tasks: Sequence[float]
    hardness: float
    words: int
    language: str


class Features(NamedTuple):
    """What the heads see of one text.

    dense: (DENSE,) float32, each about -2 to 2: the cues of each group, their hardness, the
    logarithm of the number of words, shares of digits, symbols and characters beyond ASCII, and a
    fence of code. Case, white space and final marks change none.
    """

    cues: Cues
    grams: Grams
    dense: NDArray[np.float32]


class _Weight(NamedTuple):
    """What one cue adds: a log-odds to each of some tasks, and hardness."""

    tasks: tuple[tuple[int, float], ...]
    hardness: float


def _table(
    rows: Iterable[tuple[str, float, Collection[str]]],
    hard: Iterable[tuple[float, Collection[str]]],
) -> dict[str, _Weight]:
    """Index the rows of a cue table by what they look for."""
    odds: dict[str, list[tuple[int, float]]] = {}
    for task, log_odds, keys in rows:
        for key in keys:
            odds.setdefault(key, []).append((GROUPS.index(task), log_odds))
    hardness: dict[str, float] = {}
    for amount, keys in hard:
        for key in keys:
            hardness[key] = hardness.get(key, 0.0) + amount
    return {
        key: _Weight(tuple(odds.get(key, ())), hardness.get(key, 0.0))
        for key in sorted({*odds, *hardness})
    }


def _spaced(words: Sequence[str]) -> str:
    return f" {' '.join(words)} "


def _anchored(phrases: dict[str, _Weight]) -> dict[str, list[tuple[str, _Weight]]]:
    """Index phrases by their longest word: one set lookup instead of a search through the text."""
    anchored: dict[str, list[tuple[str, _Weight]]] = {}
    for phrase, weight in phrases.items():
        words = _WORD.findall(phrase)
        anchored.setdefault(max(words, key=len), []).append((_spaced(words), weight))
    return anchored


def _languages_of() -> dict[str, list[str]]:
    languages: dict[str, list[str]] = {}
    for language, words in cues.STOPWORDS.items():
        for word in words.split():
            languages.setdefault(word, []).append(language)
    return languages


_WORDS = _table(
    [(task, odds, words.split()) for task, odds, words in cues.TASK_WORDS],
    [(amount, words.split()) for amount, words in cues.HARD_WORDS]
    + [(-amount, words.split()) for amount, words in cues.EASY_WORDS],
)
_PHRASES = _anchored(
    _table(
        [(task, odds, phrases.split("|")) for task, odds, phrases in cues.TASK_PHRASES],
        [(amount, phrases.split("|")) for amount, phrases in cues.HARD_PHRASES],
    )
)
_MARKS = tuple(_table(cues.TASK_MARKS, ()).items())
_FOREIGN_MARKS = _MARKS + tuple(_table(cues.FOREIGN_MARKS, cues.HARD_MARKS).items())
_LANGUAGES_OF = _languages_of()


def read_cues(text: str) -> Cues:
    """Sum up the cues of a text, each counted once however often it occurs.

    Cost: linear in the text, 50 us per 1,000 characters of English; callers cap the text.
    """
    lowered = text.lower()
    words = _words(lowered)
    language = _language_of(lowered, set(words))
    tasks = [0.0] * len(GROUPS)
    hardness = 0.0
    for weight, share in _found(lowered, words, language):
        hardness += share * weight.hardness
        for task, log_odds in weight.tasks:
            tasks[task] += share * log_odds
    return Cues(tasks, hardness, _length(lowered, words), language)


def read_features(text: str) -> Features:
    """Read a text for the heads; of a long one the head and the tail.

    Cost: README.md, CPU. The number of words is extrapolated to the whole text.
    """
    seen = clip(text)
    own = read_cues(seen)
    if len(text) > len(seen):
        own = own._replace(words=own.words * len(text) // len(seen))
    grams = hash_grams(seen)
    return Features(own, grams, _dense(text, own, grams))


def _dense(text: str, own: Cues, grams: Grams) -> NDArray[np.float32]:
    capped = [min(odds, MAX_LOG_ODDS) / CUE_SCALE for odds in own.tasks]
    form = (
        own.hardness / CUE_SCALE,
        log2(1 + own.words) / 4 - 1,
        4 * grams.digits,
        4 * grams.symbols,
        grams.foreign,
        float("```" in text),
    )
    return np.array([*capped, *form], dtype=np.float32)


def _words(lowered: str) -> list[str]:
    if lowered.isascii():
        return lowered.translate(_ASCII_SEPARATORS).split()
    return _WORD.findall(lowered)


def _found(lowered: str, words: Sequence[str], language: str) -> Iterator[tuple[_Weight, float]]:
    """Yield each cue that the text holds, with the share of its weight that counts there."""
    distinct = set(words)
    edges, edge_words = lowered, distinct
    if len(lowered) > 2 * EDGE_LENGTH:
        edges = f"{lowered[:EDGE_LENGTH]}\n{lowered[-EDGE_LENGTH:]}"
        edge_words = set(_words(edges))
    # Sorted: the order of a set differs between processes, and with it the last bit of a sum.
    for word in sorted(distinct & _WORDS.keys()):
        yield _WORDS[word], 1.0 if word in edge_words else PASTED_WEIGHT
    anchors = sorted(distinct & _PHRASES.keys())
    # Joined again, so that line breaks, double spaces and punctuation do not part a phrase.
    spaced = _spaced(words) if anchors else ""
    for anchor in anchors:
        for phrase, weight in _PHRASES[anchor]:
            if phrase in spaced:
                yield weight, 1.0 if anchor in edge_words else PASTED_WEIGHT
    for mark, weight in _FOREIGN_MARKS if language in MARKED_LANGUAGES else _MARKS:
        if mark in lowered:
            yield weight, 1.0 if mark in edges else PASTED_WEIGHT


def _length(lowered: str, words: list[str]) -> int:
    """Count words; a script without spaces has about one per two letters."""
    if lowered.isascii():
        return len(words)
    return max(len(words), sum(map(len, words)) // 5)


def _language_of(lowered: str, words: set[str]) -> str:
    if not lowered.isascii():
        script = _language_of_script(lowered)
        if script is not None:
            return script
    hits = Counter(
        language for word in words & _LANGUAGES_OF.keys() for language in _LANGUAGES_OF[word]
    )
    if not hits:
        return UNDETERMINED
    # By name where equal, so that the order of a set decides nothing.
    count, language = max((count, language) for language, count in hits.items())
    return language if count >= MIN_STOPWORDS else UNDETERMINED


def _language_of_script(lowered: str) -> str | None:
    letters = [char for char in lowered[:SCRIPT_SAMPLE] if char.isalpha()]
    beyond_latin = [char for char in letters if char >= FIRST_SCRIPT]
    if len(beyond_latin) <= SCRIPT_SHARE * len(letters):
        return None
    for first, last, language in cues.SCRIPTS:
        inside = sum(first <= char <= last for char in beyond_latin)
        if inside > SCRIPT_SHARE * len(letters):
            return language
    return None
