"""How a decision's candidates are stored: a line of text each, best first.

Thirty objects of seven keys would be most of a row, and most of what writing it costs.
"""

from collections.abc import Mapping
from typing import Any

NUMBERS = ("quality", "low", "high", "cost_usd", "score")


def line(model: str, numbers: tuple[float, float, float, float, float], reason: str) -> str:
    """`model quality low high cost_usd score reason`: P(success) with its interval, and USD."""
    quality, low, high, cost, score = numbers
    return f"{model} {quality} {low} {high} {cost:.9f} {score:.4f} {reason}"


def read(stored: Any) -> Mapping[str, Any]:
    """The parts of a line by name; nothing of what is not a line."""
    try:
        model, *numbers, reason = stored.rsplit(" ", len(NUMBERS) + 1)
        values = dict(zip(NUMBERS, map(float, numbers), strict=True))
    except (AttributeError, ValueError):
        return {}
    return {"model": model, **values, "reason": reason}
