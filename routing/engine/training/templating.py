"""Prompts made from templates with slots, for the tasks and languages that public data lack.

Families of templates were written apart, the third of longer requests, the last three of
requests that can be worded in many ways, and neighbours fill their slots from different parts of
every list, so that one can be judged on what the others taught. The same seed makes the same
prompts.

`{city}` is filled from a list of slots.json, whose entries may hold slots again; of `[[a|b]]` one
wording is drawn.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random

from routing.engine.training.examples import Example

FOLDER = Path(__file__).with_name("templates")
FAMILIES = ("first", "second", "third", "fourth", "fifth", "sixth")
FOREIGN_FAMILIES = FAMILIES[:3]

# Prompts from one template: 189 English templates a family come to some 300 for most types.
PER_TEMPLATE = 40
PER_FOREIGN_TEMPLATE = 8

# How hard a foreign template is, 1 to 5, by its type: all of a type are alike.
EASY = ("knowledge:fact", "writing:translation", "extraction:classification", "chat:smalltalk")
HARDNESS = dict.fromkeys(EASY, 1) | {
    "code:debugging": 3,
    "reasoning:logic": 3,
    "agent:planning": 3,
    "math:proof": 4,
}
USUAL_HARDNESS = 2

_SLOT = re.compile(r"\{([a-z_]+)[23]?\}")
_WORDINGS = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)

# A slot's entry may hold slots, but not for ever.
DEEPEST = 4

Slots = Mapping[str, Sequence[str]]


def make_examples(seed: int) -> list[Example]:
    """Fill every template with slots drawn at random."""
    slots = json.loads((FOLDER / "slots.json").read_text(encoding="utf-8"))
    lots, foreign_lots = Random(seed), Random(seed + 1)  # noqa: S311 - it has to be repeatable.
    return [*_english(slots, lots), *_foreign(slots, foreign_lots)]


def _english(slots: Slots, random: Random) -> Iterator[Example]:
    for half, family in enumerate(FAMILIES):
        own = {name: list(values[half % 2 :: 2]) for name, values in slots.items()}
        templates = json.loads((FOLDER / f"{family}.json").read_text(encoding="utf-8"))
        for task, rows in templates.items():
            for at, (hardness, template) in enumerate(rows):
                for text in _fill(template, own, random, PER_TEMPLATE):
                    name = f"{family}:{task}:{at}"
                    yield Example(text, task, family, name, float(hardness), "en")


def _foreign(slots: Slots, random: Random) -> Iterator[Example]:
    languages = json.loads((FOLDER / "languages.json").read_text(encoding="utf-8"))
    for language, templates in languages.items():
        yield from _spoken(language, templates, slots, random)


def make_parallel(seed: int) -> list[Example]:
    """Fill what the German templates say, put into English: to judge by, never to train on."""
    slots = json.loads((FOLDER / "slots.json").read_text(encoding="utf-8"))
    templates = json.loads((FOLDER / "parallel.json").read_text(encoding="utf-8"))
    return list(_spoken("en", templates, slots, Random(seed)))  # noqa: S311 - repeatable.


def _spoken(
    language: str, templates: Mapping[str, Sequence[str]], slots: Slots, random: Random
) -> Iterator[Example]:
    own = {**slots, "_sentences": templates["_sentences"]}
    for task, rows in templates.items():
        if task == "_sentences":
            continue
        for at, template in enumerate(rows):
            source = f"languages-{FOREIGN_FAMILIES[at % 3]}"
            hardness = float(HARDNESS.get(task, USUAL_HARDNESS))
            for text in _fill(template, own, random, PER_FOREIGN_TEMPLATE):
                name = f"{language}:{task}:{at}"
                yield Example(text, task, source, name, hardness, language)


def _fill(template: str, slots: Slots, random: Random, count: int) -> Iterator[str]:
    """Yield distinct fillings; a template with few or no slots makes fewer."""
    seen: set[str] = set()
    for _ in range(count):
        text = _filled(template, slots, random)
        if text not in seen:
            seen.add(text)
            yield text


def _filled(template: str, slots: Slots, random: Random) -> str:
    text = _WORDINGS.sub(lambda match: random.choice(match[1].split("|")), template)
    for _ in range(DEEPEST):
        text = _SLOT.sub(lambda match: _draw(match[1], slots, random), text)
    return text


def _draw(name: str, slots: Slots, random: Random) -> str:
    if name == "passage":
        return _joined(slots["_sentences"], random, 2, 6)
    if name == "longpassage":
        return _joined(slots["_sentences"], random, 10, 40)
    if name == "dialogue":
        lines = [random.choice(slots["_utterances"]) for _ in range(random.randint(4, 20))]
        return "\n".join(f"{random.choice(slots['person'])}: {line}" for line in lines)
    if name == "sentence_own":
        return random.choice(slots["_sentences"])
    if name in ("code", "email"):
        return random.choice(slots["_code" if name == "code" else "_emails"])
    return random.choice(slots[name]) if name in slots else "{" + name + "}"


def _joined(sentences: Sequence[str], random: Random, least: int, most: int) -> str:
    return " ".join(random.choice(sentences) for _ in range(random.randint(least, most)))
