import numpy as np
import pytest

from routing.engine.features import read_features
from routing.engine.hashing import hash_text
from routing.engine.words import SIZE, WORDS, find_words, projected, vector_of, weighted


def read(text):
    return vector_of(find_words(hash_text(text)))


def cosine(one, other):
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


@pytest.mark.parametrize("text", ["", "?!", "qzxvbn", "12 345"])
def test_text_without_known_words_says_nothing(text):
    assert read(text).shape == (WORDS,)
    assert not read(text).any()


def test_words_of_like_meaning_are_near():
    near = cosine(read("poem"), read("sonnet"))
    far = cosine(read("poem"), read("database"))

    assert near > far + 0.2


def test_case_and_marks_do_not_matter():
    assert (read("Write a POEM!") == read("write a poem")).all()


def test_word_said_again_counts_once_among_all():
    once, twice = read("write a poem"), read("write a poem poem poem")

    assert once[:SIZE] == pytest.approx(twice[:SIZE])


def test_first_and_last_words_stand_apart():
    text = " ".join(["poem", *["garden"] * 20, "database"])
    first, last = read(text)[SIZE : 2 * SIZE], read(text)[2 * SIZE :]

    assert cosine(first, read("poem")[:SIZE]) > cosine(last, read("poem")[:SIZE])
    assert cosine(last, read("database")[:SIZE]) > cosine(first, read("database")[:SIZE])


def test_words_of_another_language_are_read_in_english():
    german = vector_of(read_features("Schreib ein Gedicht, bitte").words)
    english = vector_of(read_features("Write a poem, please").words)

    assert cosine(german[:SIZE], english[:SIZE]) > 0.5


@pytest.mark.parametrize("text", ["", "poem", "write a poem, a long poem, of the sea"])
def test_what_words_say_is_their_vector_by_the_weights(text):
    weights = np.random.default_rng(1).normal(size=(WORDS, 3)).astype(np.float32)
    known = find_words(hash_text(text))

    said = weighted(known, projected(weights))

    assert said == pytest.approx(vector_of(known) @ weights, abs=1e-4)
