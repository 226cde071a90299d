import re
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.engine import hashing
from routing.engine.hashing import (
    BASE,
    BITS,
    BUCKETS,
    EDGE_WORDS,
    HEAD_LENGTH,
    HEAD_MIXER,
    MIXER,
    TAIL_LENGTH,
    TAIL_MIXER,
    clip,
    grams_of,
    hash_text,
    hash_words,
)

# Letters, digits, spaces and symbols of all kinds, with and without a word of their own.
MIXED = st.text(alphabet="abZ 09.\t\n\x1c\x00_éßİ\u2028写あ🙂\ud800", max_size=60)
ASCII = st.text(alphabet=st.characters(max_codepoint=0x7F), max_size=400)

steady = settings(deadline=None, derandomize=True)


def rows(text):
    """Return the rows of a text's characters, its words and its edges."""
    grams = grams_of(hash_text(clip(text)))
    n, m, _ = grams.sizes
    return [part.tolist() for part in np.split(grams.rows, [n, n + m])]


@steady
@given(st.text(max_size=3000))
def test_any_text_fills_distinct_rows(text):
    for part, first in zip(rows(text), (0, BUCKETS, BUCKETS), strict=True):
        assert (np.diff(part) > 0).all()
        assert all(first <= row < first + BUCKETS for row in part)


@pytest.mark.parametrize(
    "variant", ["write A HAIKU in 1999", "  Write\n a\thaiku  in 2024 ", "Write a haiku in 2024"]
)
def test_case_space_and_digits_do_not_matter(variant):
    assert rows(variant) == rows("Write a haiku in 2024")


def test_order_of_words_matters():
    assert rows("dog bites man") != rows("man bites dog")


def test_repetition_adds_no_word():
    assert set(rows("best best best")[1]) == set(rows("best best best best best")[1])


def test_shared_words_share_rows():
    one, other = (set(rows(text)[1]) for text in ("sort a list", "sort a tuple"))

    assert len(one & other) >= 3


@pytest.mark.parametrize("words", ["deadlock", "übersetze", "race condition", "doesn't work"])
def test_words_alone_have_the_hash_they_have_in_a_text(words):
    found = hash_text(clip(f"Why, oh why: {words}?")).hashes

    assert hash_words(words) in found.tolist()


def test_chinese_characters_are_words():
    one, other = (set(rows(text)[1]) for text in ("写诗", "写代码"))

    assert one & other


def test_long_text_keeps_its_head_and_tail():
    text = "a" * 5000 + "b" * 5000

    assert len(clip(text)) == HEAD_LENGTH + TAIL_LENGTH + 1
    assert clip(text).endswith("b" * TAIL_LENGTH)


@steady
@given(ASCII)
def test_ascii_is_spelt_as_any_text_is(text):
    one, other = hashing._spell_ascii(text.lower()), hashing._spell(text.lower())

    assert one.codes.tolist() == other.codes.tolist()
    assert one.classes.tolist() == other.classes.tolist()
    assert one[2:] == other[2:]


@steady
@given(MIXED)
def test_rows_are_those_of_grams_hashed_one_by_one(text):
    text = f" {' '.join(re.sub('[0-9]', '0', text.lower()).split())} "
    words = re.findall("[写あ]|[abz0éßi]+", text)
    spans = [range(len(words) - size + 1) for size in (1, 2, 3)]
    hashes = [
        [hash_of_words(words[at : at + size]) for at in span]
        for size, span in enumerate(spans, start=1)
    ]
    characters = {
        hash_of(text[at : at + length])
        for length in hashing.CHARACTER_GRAMS
        for at in range(len(text) - length + 1)
    }

    edges = [mixed(part[:EDGE_WORDS], HEAD_MIXER) for part in hashes]
    edges += [mixed(part[-EDGE_WORDS:], TAIL_MIXER) for part in hashes]
    assert rows(text) == [
        sorted(mixed(characters, MIXER, first=0)),
        sorted(mixed(chain(*hashes), MIXER)),
        sorted(set().union(*edges)),
    ]


def hash_of(text):
    return sum(ord(char) * BASE**at for at, char in enumerate(text))


def hash_of_words(words):
    found = 0
    for word in words:
        found = found * BASE + hash_of(word)
    return found


def mixed(hashes, mixer, first=BUCKETS):
    """Return the distinct rows of some hashes."""
    return {first + (one * int(mixer) % 2**32 >> 32 - BITS) for one in hashes}
