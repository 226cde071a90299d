"""How a decision's candidates are stored: all in one text, best first.

Thirty objects of six keys would be most of a row, and most of what writing it costs; as one text
they take an eighth of the time of thirty formatted lines, and PostgreSQL reads none of it. Why a
candidate was not chosen follows from its numbers and is worked out by who reads it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

# P(success) with its 80 % interval, and USD for the request; a reason in older rows alone.
NAMES = ("model", "quality", "cost_usd", "score", "low", "high", "reason")
Candidate = tuple[str, float, float, float, float, float]


def store(candidates: Iterable[Candidate]) -> str:
    """Candidates, best first, each its values in the order of NAMES, as they are stored."""
    return orjson.dumps([*map(tuple, candidates)]).decode()


def read(decision: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The values of each candidate by name, and the reason why it was chosen or not.

    Of a decision without candidates, and of the lists of older rows, nothing.
    """
    stored = decision.get("candidates")
    if not isinstance(stored, str):
        return []
    found = [dict(zip(NAMES, values, strict=False)) for values in orjson.loads(stored)]
    names = [one["model"] for one in found]
    chosen = decision.get("chosen")
    place = names.index(chosen) if chosen in names else len(names)
    cooling = decision.get("cooling") or ()
    followed = (decision.get("sticky") or {}).get("state") == "followed"
    before = "listed" if decision.get("strategy") == "fallback" and not followed else "pinned"
    for one in found[:place]:
        one.setdefault("reason", "cooling" if one["model"] in cooling else before)
    for one in found[place:]:
        one.setdefault("reason", _reason(one, found[place]))
    return found


def _reason(one: dict[str, Any], chosen: dict[str, Any]) -> str:
    if one is chosen:
        return "chosen"
    if one["cost_usd"] < chosen["cost_usd"]:
        return "weaker"
    return "dearer" if one["quality"] > chosen["quality"] else "dearer_no_gain"
