"""Checks of one JSON value each, with an error that names field, value and what is accepted."""

from collections.abc import Collection
from typing import Any, NoReturn

import orjson

from routing.errors import InvalidRequest

SHOWN_CHARACTERS = 60


def refuse(
    field: str, value: Any, accepted: str, *, error_type: str = "invalid_request"
) -> NoReturn:
    raise InvalidRequest(
        f"{field} must be {accepted}, not {shown(value)}.", error_type=error_type, param=field
    )


def shown(value: Any) -> str:
    """A value as the client wrote it, clipped."""
    text = orjson.dumps(value).decode()
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"


def is_integer(value: Any) -> bool:
    """JSON has one kind of number, so 7.0 is an integer; true is not."""
    return type(value) is int or (type(value) is float and value.is_integer())


def number(field: str, value: Any, low: float, high: float) -> Any:
    if type(value) not in (int, float) or not low <= value <= high:
        refuse(field, value, f"a number from {low:g} to {high:g}")
    return value


def integer(field: str, value: Any, low: int, high: int | None = None) -> int:
    accepted = f"an integer from {low} to {high}" if high is not None else f"an integer from {low}"
    if not is_integer(value) or value < low or (high is not None and value > high):
        refuse(field, value, accepted)
    return int(value)


def boolean(field: str, value: Any) -> bool:
    if type(value) is not bool:
        refuse(field, value, "true or false")
    return bool(value)


def mapping(field: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        refuse(field, value, "an object")
    return value


def text(field: str, value: Any, longest: int) -> str:
    """A string without control characters."""
    if not isinstance(value, str) or len(value) > longest:
        refuse(field, value, f"a string of up to {longest} characters")
    if has_control_characters(value):
        refuse(field, value, "a string without control characters")
    return value


def texts(field: str, value: Any, longest: int, most: int) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > most:
        refuse(field, value, f"an array of up to {most} strings")
    return tuple(text(f"{field}[{index}]", item, longest) for index, item in enumerate(value))


def one_of(field: str, value: Any, choices: Collection[str]) -> str:
    if not isinstance(value, str) or value not in choices:
        refuse(field, value, "one of " + ", ".join(sorted(choices)))
    return value


def known_keys(field: str, value: dict[str, Any], known: Collection[str]) -> None:
    """A misspelt restriction must not be ignored."""
    if unknown := [key for key in value if key not in known]:
        refuse(
            f"{field}.{unknown[0]}", value[unknown[0]], f"absent; {field} takes {', '.join(known)}"
        )


def has_control_characters(value: str) -> bool:
    return any(character < " " or character == "\x7f" for character in value)
