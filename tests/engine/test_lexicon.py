import pytest

from routing.engine import lexicon
from routing.engine.features import read_features
from routing.engine.hashing import clip, grams_of, hash_text, hash_words

LINES = [line for line in lexicon.TABLE.read_text(encoding="utf-8").splitlines() if line[0] != "#"]


def gloss_of(text, language):
    found = lexicon.gloss(hash_text(clip(text)), language)
    return [] if found is None else found.hashes[: len(found.starts)].tolist()


def test_every_concept_has_a_cell_for_each_language():
    assert {line.count("|") for line in LINES} == {len(lexicon.LANGUAGES)}


def test_concepts_are_single_english_words_named_once():
    concepts = [line.split("|")[0].strip() for line in LINES]

    assert len(set(concepts)) == len(concepts)
    assert all(concept.isascii() and concept.isalpha() for concept in concepts)


def test_words_are_written_as_they_are_looked_up():
    assert not [line for line in LINES if line.lower() != line]


@pytest.mark.parametrize("column", range(len(lexicon.LANGUAGES)))
def test_every_language_names_most_concepts(column):
    named = [bool(line.split("|")[column + 1].strip()) for line in LINES]

    assert sum(named) > 0.9 * len(named)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Übersetzung, bitte!"),
        ("es", "traduciendo esto"),
        ("fr", "Peux-tu le traduire ?"),
        ("it", "traducilo"),
        ("pt", "a tradução"),
        ("ru", "Переведите это"),
        ("ar", "والترجمة من فضلك"),
        ("hi", "इसका अनुवाद कीजिए"),
        ("ja", "これを翻訳してください"),
        ("ko", "이것을 번역해 주세요"),
        ("zh", "把它翻译一下"),
    ],
)
def test_words_with_their_endings_say_the_english_word(language, text):
    assert hash_words("translate") in gloss_of(text, language)


def test_unknown_words_stay_where_there_are_spaces():
    assert hash_words("numpy") in gloss_of("Erkläre numpy", "de")


def test_order_of_words_is_kept():
    wanted = [hash_words(word) for word in ("write", "a", "poem")]

    assert gloss_of("Schreibe ein Gedicht", "de") == wanted


def test_longest_run_of_characters_decides():
    assert gloss_of("为什么", "zh") == [hash_words("why")]


def test_german_fills_the_buckets_of_english():
    german, english = (
        set(read_features(text).grams.rows.tolist())
        for text in ("Schreibe ein Gedicht über den Mond.", "write a poem about the moon")
    )
    own = grams_of(hash_text("write a poem about the moon"))
    words = own.rows[own.sizes[0] :]

    assert set(words.tolist()) <= german & english


def test_english_is_left_as_it_is():
    text = "Please write a poem about the moon and what it is to you."
    plain = grams_of(hash_text(text))

    assert (read_features(text).grams.rows == plain.rows).all()


def test_languages_without_a_column_are_left_as_they_are():
    assert lexicon.gloss(hash_text("Schrijf een gedicht"), "nl") is None
