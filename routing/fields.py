"""A body as JSON, and checks of one value each: errors name field, value and what is accepted."""

import json
import re
from collections.abc import Collection
from itertools import accumulate
from typing import Any, NoReturn

import orjson

from routing.errors import InvalidRequest

SHOWN_CHARACTERS = 60
CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
DEEPEST = 64
# Two million empty objects fit into 6 MB and take 161 MiB once parsed.
MOST_PARTS = 200_000
NOT_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))
STEP = {ord("{"): 1, ord("["): 1, ord("}"): -1, ord("]"): -1}


def read(body: bytes) -> dict[str, Any]:
    """The JSON object in a body; raises InvalidRequest for anything that two parsers could read
    in two ways, or that costs much more to hold than to send.
    """
    skeleton = _without_strings(body)
    if sum(map(skeleton.count, (b"{", b"[", b",", b":"))) > MOST_PARTS:
        raise _too_many_parts()
    brackets = skeleton.translate(None, NOT_BRACKETS)
    # As deep as there are brackets, at most.
    if len(brackets) > DEEPEST and max(accumulate(map(STEP.__getitem__, brackets))) > DEEPEST:
        raise InvalidRequest(f"The body must be nested at most {DEEPEST} deep.")
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"The body is not valid JSON: {error.msg}.") from error
    if not isinstance(request, dict):
        raise InvalidRequest(f"The body must be a JSON object, not {shown(request)}.")
    if skeleton.count(b":") != _keys_in(request):
        json.loads(body, object_pairs_hook=_refuse_duplicate)
    return request


def _without_strings(body: bytes) -> bytes:
    """The brackets, commas and colons of a JSON text, at the speed of a memory copy."""
    unescaped = body.replace(rb"\\", b"").replace(rb"\"", b"")
    if unescaped.count(b'"') > 2 * MOST_PARTS:
        raise _too_many_parts()
    return b"".join(unescaped.split(b'"')[::2])


def _too_many_parts() -> InvalidRequest:
    return InvalidRequest(f"The body must have at most {MOST_PARTS} keys and values.")


def _keys_in(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(_keys_in, value.values()))
    return sum(map(_keys_in, value)) if isinstance(value, list) else 0


def _refuse_duplicate(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            message = f"{shown(key)} is a duplicate key; send each key once."
            raise InvalidRequest(message, param=key[:SHOWN_CHARACTERS])
        seen.add(key)


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
    if CONTROL_CHARACTER.search(value):
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
        name = f"{field}.{unknown[0][:SHOWN_CHARACTERS]}"
        refuse(name, value[unknown[0]], f"absent; {field} takes {', '.join(known)}")
