import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.engine.hashing import BUCKETS, HEAD_LENGTH, TAIL_LENGTH, clip, hash_grams, hash_words

steady = settings(deadline=None, derandomize=True)


def buckets(text):
    grams = hash_grams(clip(text))
    return [part.tolist() for part in (grams.characters, grams.words, grams.edges)]


@steady
@given(st.text(max_size=3000))
def test_any_text_fills_distinct_buckets(text):
    for part in hash_grams(clip(text))[:3]:
        assert (np.diff(part) > 0).all()
        assert ((part >= 0) & (part < BUCKETS)).all()


@pytest.mark.parametrize(
    "variant", ["write A HAIKU in 1999", "  Write\n a\thaiku  in 2024 ", "Write a haiku in 2024"]
)
def test_case_space_and_digits_do_not_matter(variant):
    assert buckets(variant) == buckets("Write a haiku in 2024")


def test_order_of_words_matters():
    assert buckets("dog bites man") != buckets("man bites dog")


def test_repetition_adds_no_word():
    assert set(buckets("best best best")[1]) == set(buckets("best best best best best")[1])


def test_shared_words_share_buckets():
    one, other = (set(buckets(text)[1]) for text in ("sort a list", "sort a tuple"))

    assert len(one & other) >= 3


@pytest.mark.parametrize("words", ["deadlock", "übersetze", "race condition", "doesn't work"])
def test_words_alone_have_the_hash_they_have_in_a_text(words):
    found = hash_grams(clip(f"Why, oh why: {words}?")).hashes

    assert hash_words(words) in {one for hashes in found for one in hashes.tolist()}


def test_chinese_characters_are_words():
    one, other = (set(buckets(text)[1]) for text in ("写诗", "写代码"))

    assert one & other


def test_long_text_keeps_its_head_and_tail():
    text = "a" * 5000 + "b" * 5000

    assert len(clip(text)) == HEAD_LENGTH + TAIL_LENGTH + 1
    assert clip(text).endswith("b" * TAIL_LENGTH)
