import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.engine.hashing import BUCKETS, HEAD_LENGTH, TAIL_LENGTH, clip, hash_grams, hash_words

steady = settings(deadline=None, derandomize=True)


def rows(text):
    """Return the rows of a text's characters, its words and its edges."""
    grams = hash_grams(clip(text))
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
    found = hash_grams(clip(f"Why, oh why: {words}?")).hashes

    assert hash_words(words) in found.tolist()


def test_chinese_characters_are_words():
    one, other = (set(rows(text)[1]) for text in ("写诗", "写代码"))

    assert one & other


def test_long_text_keeps_its_head_and_tail():
    text = "a" * 5000 + "b" * 5000

    assert len(clip(text)) == HEAD_LENGTH + TAIL_LENGTH + 1
    assert clip(text).endswith("b" * TAIL_LENGTH)
