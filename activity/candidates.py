"""How a decision's candidates are stored: all in one text, best first.

Thirty objects of seven keys would be most of a row, and most of what writing it costs; as one text
they take an eighth of the time of thirty formatted lines, and PostgreSQL reads none of it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

# P(success) with its 80 % interval, and USD for the request.
NAMES = ("model", "quality", "cost_usd", "score", "low", "high", "reason")
Candidate = tuple[str, float, float, float, float, float, str]


def store(candidates: Iterable[Candidate]) -> str:
    """Candidates, each its values in the order of NAMES, as they are stored."""
    return orjson.dumps([*candidates]).decode()


def read(stored: Any) -> list[Mapping[str, Any]]:
    """The values of each candidate by name; of the lists of older rows, nothing."""
    if not isinstance(stored, str):
        return []
    return [dict(zip(NAMES, values, strict=True)) for values in orjson.loads(stored)]
