"""The labelled prompts that the heads are fitted on, read from DATA_DIR and cleaned."""

import gzip
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from routing.engine.training.labels import task_of

# Words that a data set's form puts around a question: a user does not write them.
_OPTIONS = re.compile(
    r"^\s*(options|answer choices|choices|the options are)\s*:?.*$|"
    r"^\s*(\(?[A-P][.):]\)?|-)\s+.{0,200}$",
    re.IGNORECASE | re.MULTILINE,
)
_LABELS = re.compile(
    r"^\s*(q|question|answer|a|context|passage|article|instruction|input|text|document|"
    r"review text|dialogue|paragraph|premise|hypothesis|title|review|content|toolformer"
    r"( access| enabled)?)\s*:",
    re.IGNORECASE | re.MULTILINE,
)

# One prompt in so many keeps the form of its data set.
AS_FORMED = 4

# Share of prompts that get a sentence which must not count: praise, orders to the router, or
# idle talk. What is often added to every task and difficulty alike comes to weigh nothing.
STEERED = 0.3
STEERING = Path(__file__).with_name("templates") / "steering.json"

# Tasks that come with pasted matter as well as without; PASTED of their prompts get some.
WITH_MATTER = ("code", "math", "reasoning", "writing", "roleplay", "agent", "knowledge", "chat:adv")
PASTED = 0.25
MATTER_LENGTH = (200, 1500)

# Every so many prompts one is lower-cased, cut short, or loses its end mark.
LOWERED, CUT, UNMARKED, MISTYPED = 0.3, 0.15, 0.2, 0.65

# Letters swapped in a mistyped prompt: one in so many.
LETTERS_PER_SWAP = 60
SHORTEST_CUT = 40


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt with its task type; hardness 1 to 5 where judged, 0 where not."""

    text: str
    task: str
    source: str
    template: str
    hardness: float = 0.0
    language: str = "en"


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read a gzipped file of one JSON object a line."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def read_examples(data_dir: Path) -> list[Example]:
    """Read the labelled prompts; a text that occurs twice counts for its first source."""
    seen: set[str] = set()
    found: list[Example] = []
    for example in _labelled(data_dir):
        key = re.sub(r"\W+", "", example.text.lower())
        if key and key not in seen:
            seen.add(key)
            found.append(example)
    return found


def _labelled(data_dir: Path) -> Iterator[Example]:
    """Yield examples, every AS_FORMED-th as its data set wrote it: some users paste such forms."""
    for at, example in enumerate(_as_written(data_dir)):
        bare = at % AS_FORMED != 0
        yield replace(example, text=without_form(example.text)) if bare else example


def _as_written(data_dir: Path) -> Iterator[Example]:
    for row in read_rows(data_dir / "labels.jsonl.gz"):
        task = task_of(row["label"], str(row["sub"]), row["text"])
        if task is not None:
            name = f"{row['source']}:{row['label']}"
            yield Example(row["text"], task, row["source"], name)
    for row in read_rows(data_dir / "prompts.jsonl.gz"):
        if row["source"] == "mmlupro":
            task = task_of(row["dataset"], "", row["text"])
            if task is not None:
                yield Example(row["text"], task, "mmlupro", row["dataset"])


def without_form(text: str) -> str:
    """Strip what only a data set writes: lists of options, "Question:" and the like."""
    bare = _LABELS.sub("", _OPTIONS.sub("", text)).strip()
    return bare or text


def with_matter(examples: Sequence[Example], random: Random) -> list[Example]:
    """Paste a stretch of another prompt's text below some: what is long need not be a reading."""
    matter = [one.text for one in examples if one.task == "extraction:reading"]
    return [_pasted(one, random.choice(matter), random) for one in examples]


def _pasted(example: Example, matter: str, random: Random) -> Example:
    if not example.task.startswith(WITH_MATTER) or random.random() >= PASTED:
        return example
    cut = matter[: random.randint(*MATTER_LENGTH)]
    return replace(example, text=f"{example.text}\n\n{cut}")


def steered(text: str, random: Random) -> str:
    """Add to some prompts, in front or behind, a sentence that says nothing of the task."""
    return _added(text, random.choice(_idle()), random) if random.random() < STEERED else text


@cache
def _idle() -> list[str]:
    sentences: list[str] = json.loads(STEERING.read_text(encoding="utf-8"))
    return sentences


def _added(text: str, sentence: str, random: Random) -> str:
    return f"{text} {sentence}" if random.random() < 0.7 else f"{sentence} {text}"


def roughened(text: str, random: Random) -> str:
    """Return a text as someone in a hurry might send it: lower case, cut off, no question mark."""
    if random.random() < LOWERED:
        text = text.lower()
    if random.random() < CUT and len(text) > 2 * SHORTEST_CUT:
        text = text[: random.randint(SHORTEST_CUT, len(text))]
    if random.random() < UNMARKED:
        text = text.rstrip(" .?!:\n")
    return mistyped(text, random) if random.random() < MISTYPED else text


def mistyped(text: str, random: Random) -> str:
    """Swap some letters with the next one."""
    letters = list(text)
    for _ in range(1 + len(letters) // LETTERS_PER_SWAP if len(letters) > 1 else 0):
        at = random.randrange(len(letters) - 1)
        letters[at], letters[at + 1] = letters[at + 1], letters[at]
    return "".join(letters)
