"""What the words of eleven other languages say in English, so that what English taught counts.

lexicon.txt is a list of words and beginnings of words, written from the languages' vocabulary. A
text in another language fills the buckets of its English words beside its own. Chinese and
Japanese, which put no spaces, are looked up by one to three characters.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from routing.engine.hashing import (
    BASE,
    LIMIT,
    MODULUS,
    Codes,
    Hashed,
    Sieve,
    hash_words,
    powers,
    reworded,
    sieve_of,
    sift,
)

TABLE = Path(__file__).with_name("lexicon.txt")

LANGUAGES = ("de", "es", "fr", "it", "pt", "ru", "ar", "hi", "ja", "ko", "zh")
UNSPACED = frozenset({"ja", "zh"})

# Languages that short texts do not tell apart: words of any of them count in each.
LATIN = ("de", "es", "fr", "it", "pt")
ANY = "und"
# Letters of a word that may be taken for another language's: shorter ones are too often shared.
SHARED_LETTERS = 5

# Arabic writes "the", "and", "in" and "to" as the beginning of the word that follows.
PROCLITICS = ("", "ال", "و", "ب", "ل", "لل", "بال", "وال")

# Below are the scripts with spaces.
FIRST_UNSPACED = np.uint32(0x0E01)

# Letters of the longest beginning of a word that is looked up, and of a run without spaces.
LONGEST = 8
LONGEST_RUN = 3

# Sets beginnings of words apart from words: the mixing constant of splitmix.
BEGINNING = np.uint32(0x9E3779B9)

_BASE = np.uint32(BASE)
_LENGTHS = np.arange(1, LONGEST + 1)[:, None]
_POWERS, _INVERSES = powers(BASE, LIMIT + 1), powers(pow(BASE, -1, MODULUS), LIMIT + 1)


class _Words(NamedTuple):
    """The words of one language: english[hash] is the hash of what a word or beginning says.

    maybe: which hashes can be one at all.
    """

    english: dict[int, int]
    maybe: Sieve


def gloss(text: Hashed, language: str) -> Hashed | None:
    """Return a text with words in English as far as they are known; None where none is.

    Words of scripts with spaces stay where they are not known: many are names or terms.
    """
    words = _WORDS.get(language)
    if words is None:
        return None
    found = _unspaced(text, words) if language in UNSPACED else _spaced(text, words)
    if not found:
        return None
    places, starts = list(found), text.starts
    ones = text.hashes[: len(starts)].copy()
    ones[places] = list(found.values())
    if language in UNSPACED:
        kept = text.codes.take(starts) < FIRST_UNSPACED
        kept[places] = True
        ones, starts = ones[kept], starts[kept]
    return reworded(text, ones, starts)


def _spaced(text: Hashed, words: _Words) -> dict[int, int]:
    """Return the English of the words known, by their place; the longest beginning decides."""
    sums, starts = text.sums, text.starts
    keys = np.empty((LONGEST + 1, len(starts)), dtype=np.uint32)
    beginnings = keys[:-1]
    # Those that would go beyond the text end with it.
    np.subtract(sums.take(starts + _LENGTHS, mode="clip"), sums.take(starts), out=beginnings)
    beginnings *= _INVERSES.take(starts)
    beginnings ^= BEGINNING
    keys[-1] = text.hashes[: len(starts)]
    likely = sift(words.maybe, keys)
    count, english = len(starts), words.english
    found = zip(likely.tolist(), keys.take(likely).tolist(), strict=True)
    return {at % count: english[key] for at, key in found if key in english}


def _unspaced(text: Hashed, words: _Words) -> dict[int, int]:
    """Return the English of the characters known, by where they begin; the longest run counts."""
    count, english = len(text.starts), words.english
    likely = sift(words.maybe, text.hashes)
    runs: dict[int, tuple[int, int]] = {}
    for place, key in zip(likely.tolist(), text.hashes.take(likely).tolist(), strict=True):
        if key in english:
            # Words come first, then pairs, one less of them, then triples.
            size = 1 + (place >= count) + (place >= 2 * count - 1)
            runs[place - (0, count, 2 * count - 1)[size - 1]] = size, english[key]
    found: dict[int, int] = {}
    free = 0
    for at in sorted(runs):
        if at >= free:
            size, found[at] = runs[at]
            free = at + size
    return found


def _read() -> dict[str, dict[str, str]]:
    """Return the English of the entries of each language, entries as lexicon.txt has them."""
    known: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        english, *cells = line.split("|")
        for language, cell in zip(LANGUAGES, cells, strict=True):
            for entry in cell.split():
                known[language].setdefault(entry, english.strip())
    known["ar"] = {
        start + entry: english for start in PROCLITICS for entry, english in known["ar"].items()
    }
    shared = {
        entry: english
        for language in LATIN
        for entry, english in known[language].items()
        if len(entry.rstrip("*")) >= SHARED_LETTERS
    }
    return known | {one: shared | known[one] for one in LATIN} | {ANY: shared}


def _words_of(entries: dict[str, str], *, unspaced: bool) -> _Words:
    """Hash all entries at once: one by one they would take a tenth of a second."""
    longest = LONGEST_RUN if unspaced else LONGEST
    keys = [entry if entry[-1] != "*" else entry[:-1][:longest] for entry in entries]
    if unspaced:
        keys = [key[:longest] for key in keys]
    codes = _padded(keys)
    hashes = _of_runs(codes) if unspaced else codes @ _POWERS[: codes.shape[1]]
    begins = np.array([entry[-1] == "*" and not unspaced for entry in entries])
    hashes = np.where(begins, hashes ^ BEGINNING, hashes)
    english = [_ENGLISH[one] for one in entries.values()]
    return _Words(dict(zip(hashes.tolist(), english, strict=True)), sieve_of(hashes))


def _padded(keys: Sequence[str]) -> Codes:
    """Return the code points of words, with zeros behind the shorter ones, (n, longest)."""
    width = max(map(len, keys))
    joined = "".join(key.ljust(width, "\0") for key in keys)
    return np.frombuffer(joined.encode("utf-32-le"), dtype=np.uint32).reshape(-1, width)


def _of_runs(codes: Codes) -> Codes:
    """Hash runs of characters that are words each, (n,)."""
    hashes = np.zeros(len(codes), dtype=np.uint32)
    for column in codes.T:
        hashes = np.where(column > 0, hashes * _BASE + column, hashes)
    return hashes


_ENTRIES = _read()
_ENGLISH = {
    one: hash_words(one) for one in {one for words in _ENTRIES.values() for one in words.values()}
}
_WORDS = {
    language: _words_of(entries, unspaced=language in UNSPACED)
    for language, entries in _ENTRIES.items()
}
