import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.engine.patterns import normalise, problems, select
from tests.engine.candidates import POOL

SLUGS = [one.slug for one in POOL]
NAMES = {slug: {slug, f"{slug}-20260101"} for slug in SLUGS}


def matches(pattern, slug):
    return bool(select([pattern], {slug: [slug]}))


@pytest.mark.parametrize(
    ("pattern", "slug"),
    [
        ("openai/gpt-5", "openai/gpt-5"),
        ("OpenAI/GPT-5", "openai/gpt-5"),
        ("openai/gpt-5", "OPENAI/GPT-5"),
        ("anthropic/*", "anthropic/claude-opus-4.6"),
        ("*/claude-*", "anthropic/claude-opus-4.6"),
        ("openai/gpt-5*", "openai/gpt-5"),
        ("openai/gpt-5*", "openai/gpt-5.2-pro"),
        ("*", "openai/gpt-5"),
        ("**", "openai/gpt-5"),
        ("*/*", "openai/gpt-5"),
        ("*gpt*pro", "openai/gpt-5.2-pro"),
        ("*-5*5*", "openai/gpt-5.5"),
        ("a*b*c", "a/b/c"),
        ("*ab", "aab"),
        ("a*a", "aa"),
        ("*a*b*", "aba"),
        ("*", ""),
    ],
)
def test_pattern_fits_the_whole_slug(pattern, slug):
    assert matches(pattern, slug)


@pytest.mark.parametrize(
    ("pattern", "slug"),
    [
        ("openai/gpt-5", "openai/gpt-5.2"),
        ("gpt-5", "openai/gpt-5"),
        ("openai/", "openai/gpt-5"),
        ("anthropic/*", "openai/gpt-5"),
        ("a*a", "a"),
        ("ab*ba", "aba"),
        ("*a*a", "a"),
        ("x*ab*b", "xaab"),
        ("*c*b*", "abc"),
        ("*/*/*", "openai/gpt-5"),
        ("", "openai/gpt-5"),
        ("аnthropic/*", "anthropic/claude-opus-4.6"),  # noqa: RUF001 - a Cyrillic look-alike
    ],
)
def test_pattern_does_not_fit_another_slug(pattern, slug):
    assert not matches(pattern, slug)


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "[a-z]*", "?", "!openai/*", "{a,b}", ".*", "openai/gpt-?", "\\*", "%", "_"],
)
def test_only_the_asterisk_has_a_meaning(pattern):
    assert select([pattern], NAMES) == set()


@pytest.mark.parametrize("literal", ["(a+)+$", "[a-z]", "?", "!openai/", "{a,b}", "a.b"])
def test_every_other_character_stands_for_itself(literal):
    assert matches(f"{literal}*", f"{literal}x")


@settings(deadline=None, derandomize=True)
@given(
    st.text("ab*", max_size=8),
    st.text("ab", max_size=8),
)
def test_greedy_walk_agrees_with_the_definition(pattern, slug):
    assert matches(pattern, slug) == _fits_by_definition(pattern, slug)


def _fits_by_definition(pattern, slug):
    if not pattern:
        return not slug
    if pattern[0] == "*":
        return any(_fits_by_definition(pattern[1:], slug[at:]) for at in range(len(slug) + 1))
    return slug[:1] == pattern[0] and _fits_by_definition(pattern[1:], slug[1:])


def test_select_finds_a_slug_by_any_of_its_names():
    names = {"mistralai/small": ["mistralai/small", "mistralai/small-2506"], "a/b": ["a/b"]}

    assert select(["*-2506"], names) == {"mistralai/small"}


@pytest.mark.parametrize("pattern", ["*", "**", "*/*"])
def test_select_all(pattern):
    assert select([pattern], NAMES) == set(SLUGS)


def test_select_unites_the_patterns():
    selected = select(["anthropic/*", "x-ai/grok-4", "nope/*"], NAMES)

    assert {slug.split("/")[0] for slug in selected} == {"anthropic", "x-ai"}
    assert "x-ai/grok-3" not in selected


def test_no_patterns_select_nothing():
    assert select([], NAMES) == set()


def test_hostile_patterns_end_quickly():
    alike = ["*a*a*a*a*a*a*a*a*c"] * 512
    distinct = [f"*{'a*' * (at % 20)}{at}*c" for at in range(512)]

    assert select(alike + distinct, {slug: [slug, "a" * 60] for slug in SLUGS}) == set()


def test_normalise_reads_a_textarea():
    text = " anthropic/* \r\n\n*/claude-*, openai/gpt-5\n,anthropic/*\n"

    assert normalise(text) == ["anthropic/*", "*/claude-*", "openai/gpt-5"]


@pytest.mark.parametrize("text", ["", " \n\t\n", ",,\n,"])
def test_normalise_of_nothing_is_nothing(text):
    assert normalise(text) == []


@pytest.mark.parametrize(
    "patterns",
    [[], ["*"], ["openai/gpt-5*"], ["(a+)+$"], ["a" * 1024], ["a"] * 1024, ["x" * 64] * 1024],
)
def test_patterns_within_the_limits_have_no_problems(patterns):
    assert problems(patterns) == []


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        " ",
        "a b",
        "a\tb",
        "a\nb",
        "\x00",
        "a\x7f",
        "a\u2028b",
        "a\u200bb",
        "a\ud800",
        "a\u00a0b",
    ],
)
def test_empty_blank_and_control_characters_are_refused(pattern):
    assert len(problems(["openai/*", pattern])) == 1


def test_too_many_patterns_are_refused():
    assert problems(["a"] * 1025) == ["1025 patterns; at most 1024 are accepted."]


def test_too_long_a_pattern_is_named_by_its_beginning():
    (message,) = problems(["a" * 1025])

    assert "1025 characters" in message
    assert "a" * 60 + "…" in message
    assert len(message) < 200


def test_patterns_too_long_together_are_refused():
    (message,) = problems(["a" * 64] * 1023 + ["a" * 65])

    assert "65537" in message
    assert "65536" in message


def test_message_shows_control_characters_escaped():
    (message,) = problems(["a\x00b"])

    assert message.isprintable()
    assert "anthropic/*" in message
