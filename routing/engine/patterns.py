"""Wildcard patterns over slugs, such as `anthropic/*`.

`*` stands for any run of characters, the empty one and `/` included; everything else stands for
itself, without regard to case. Not fnmatch and not re: both give `?`, `[` or `(` a meaning, and
both backtrack for seconds on a pattern that a tenant may send.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

# The published limits of the auto-router plugin (its OpenAPI schema).
MAX_PATTERNS = 1024
MAX_PATTERN_LENGTH = 1024
MAX_TOTAL_LENGTH = 65_536

# How much of a refused pattern a message repeats.
CLIP_LENGTH = 60


class _Wildcard(NamedTuple):
    """A pattern cut at its asterisks: what a name starts with, ends with and holds in between."""

    exact: bool
    head: str
    middle: tuple[str, ...]
    tail: str
    min_length: int


def names_of(slug: str, canonical_slug: str, alias: str) -> tuple[str, ...]:
    """Return every name of a model that a pattern may fit, in lower case, each once."""
    names = (slug, canonical_slug, alias)
    return tuple(dict.fromkeys(name.lower() for name in names if name))


def select(patterns: Sequence[str], names: Mapping[str, Collection[str]]) -> set[str]:
    """Return the slugs of which any name fits any pattern.

    `names` maps each slug to all its names: see names_of. No patterns select
    nothing; that an absent list means "no restriction" is for the caller to say.
    Cost: one pass per distinct pattern and name still unselected, each about as long as the name.
    """
    pending = {slug: [name.casefold() for name in every] for slug, every in names.items()}
    selected: set[str] = set()
    for pattern in dict.fromkeys(patterns):
        wildcard = _parse(pattern)
        found = {slug for slug, every in pending.items() if any(_fits(wildcard, n) for n in every)}
        selected |= found
        for slug in found:
            del pending[slug]
    return selected


def normalise(text: str) -> list[str]:
    """Read the patterns of a textarea: one per line or comma, in order, each once."""
    parts = (part.strip() for part in re.split(r"[,\r\n]", text))
    return list(dict.fromkeys(part for part in parts if part))


def problems(patterns: Sequence[str]) -> list[str]:
    """Return a message for each reason to refuse the patterns; none means that they are good."""
    found = [message for pattern in patterns for message in _problems_of(pattern)]
    if len(patterns) > MAX_PATTERNS:
        found.append(f"{len(patterns)} patterns; at most {MAX_PATTERNS} are accepted.")
    total = sum(map(len, patterns))
    if total > MAX_TOTAL_LENGTH:
        found.append(
            f"The patterns have {total} characters in all; at most {MAX_TOTAL_LENGTH} are accepted."
        )
    return found


def _parse(pattern: str) -> _Wildcard:
    head, *rest = pattern.casefold().split("*")
    tail = rest.pop() if rest else ""
    middle = tuple(part for part in rest if part)
    literals = len(head) + len(tail) + sum(map(len, middle))
    return _Wildcard("*" not in pattern, head, middle, tail, literals)


def _fits(wildcard: _Wildcard, name: str) -> bool:
    """Walk once through the name: each literal at its first place leaves the rest most room."""
    if wildcard.exact:
        return name == wildcard.head
    if len(name) < wildcard.min_length:
        return False
    if not (name.startswith(wildcard.head) and name.endswith(wildcard.tail)):
        return False
    position, end = len(wildcard.head), len(name) - len(wildcard.tail)
    for literal in wildcard.middle:
        at = name.find(literal, position, end)
        if at < 0:
            return False
        position = at + len(literal)
    return True


def _problems_of(pattern: str) -> list[str]:
    if not pattern:
        return ["A pattern is empty; a slug is accepted, with * for any run of characters."]
    shown = _clip(pattern)
    found = []
    if len(pattern) > MAX_PATTERN_LENGTH:
        found.append(
            f"Pattern {shown} has {len(pattern)} characters; "
            f"at most {MAX_PATTERN_LENGTH} are accepted."
        )
    if any(char.isspace() or not char.isprintable() for char in pattern):
        found.append(
            f"Pattern {shown} holds white space or a control character; "
            "visible characters without spaces are accepted, such as anthropic/*."
        )
    return found


def _clip(pattern: str) -> str:
    """Quote the pattern with its control characters escaped, and no more than its beginning."""
    clipped = pattern if len(pattern) <= CLIP_LENGTH else pattern[:CLIP_LENGTH] + "…"
    return ascii(clipped) if not clipped.isprintable() else f'"{clipped}"'
