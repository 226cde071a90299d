"""Prompts that a language model wrote for this project, one by one: what users ask and no public
data set has, a file for each field or register, each with every task but those of pictures.

A line of prompts/NAME.jsonl is [task, hardness, text], or [task, hardness, text, language]; the
hardness, 1 to 5, is judged by who wrote it.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from routing.engine.training.examples import Example

FOLDER = Path(__file__).with_name("prompts")

# All that is English is one source, and the rest another, as with a family of templates.
WRITTEN = "written"
FOREIGN = f"languages-{WRITTEN}"


def read_written() -> list[Example]:
    """Read all prompts."""
    return [one for path in sorted(FOLDER.glob("*.jsonl")) for one in _read(path)]


def _read(path: Path) -> Iterator[Example]:
    for at, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        task, hardness, text, *language = json.loads(line)
        source = FOREIGN if language else WRITTEN
        name = f"{path.stem}:{at}"
        yield Example(text, task, source, name, float(hardness), *language or ("en",))
