"""The tool calls of an answer, so that its client can tell them apart and answer each."""

import secrets
import string
from collections.abc import Callable
from typing import Any

import orjson

from routing.messages import LONGEST_ID

# Mistral takes back no id but of nine letters and digits, and nobody else minds such a one.
ID_ALPHABET, ID_LENGTH = string.ascii_letters + string.digits, 9

Call = dict[str, Any]


class Calls:
    """The calls of one answer so far.

    Google leaves out the index of a call in a stream, or sends 0 for each, others its id; SDKs
    fail without either, and without an id nobody can say which call a result belongs to.
    """

    def __init__(self) -> None:
        # As the provider names them, and what their arguments are so far.
        self._named: list[Any] = []
        self._arguments: list[str] = []
        # What it calls the index, and the place that we give it.
        self._places: dict[int | None, int] = {}

    def in_message(self, message: dict[str, Any]) -> dict[str, Any]:
        """A whole message with calls that can be answered."""
        return _with_calls(message, self._first)

    def in_delta(self, delta: dict[str, Any]) -> dict[str, Any]:
        """The same for a part of a stream, whose calls come in parts of their own."""
        return _with_calls(delta, self._next)

    def _first(self, call: Call) -> Call:
        """A call as it begins; no longer an id than we take back."""
        named = call.get("id")
        is_good = isinstance(named, str) and named and named not in self._named
        self._named.append(named)
        self._arguments.append("")
        call_id = named[:LONGEST_ID] if is_good else _new_id()
        return call | {"id": call_id, "type": call.get("type") or "function"}

    def _next(self, call: Call) -> Call:
        index = call.get("index")
        index = index if type(index) is int else None
        place = self._places.get(index)
        name, arguments = _function(call)
        if place is None and self._named and not call.get("id") and not name:
            # Only some of its parts have an index.
            place = len(self._named) - 1
        if place is None or (name and self._is_another(call, index, place)):
            place = self._places[index] = len(self._named)
            found = self._first(call)
        else:
            # SDKs put the parts of a call together; its id is whole since its first one.
            found = {name: value for name, value in call.items() if name != "id"}
        self._arguments[place] += arguments
        return found | {"index": place}

    def _is_another(self, call: Call, index: int | None, place: int) -> bool:
        """Whether a part with a name begins a call where the provider's index says otherwise."""
        if named := call.get("id"):
            return bool(named != self._named[place])
        return index is None or _is_whole(self._arguments[place])


def _with_calls(part: dict[str, Any], mended: Callable[[Call], Call]) -> dict[str, Any]:
    """An empty list of calls is left out: client loops take it for calls."""
    calls = part.get("tool_calls")
    if not isinstance(calls, list):
        return part
    if known := [mended(call) for call in calls if isinstance(call, dict)]:
        return part | {"tool_calls": known}
    return {name: value for name, value in part.items() if name != "tool_calls"}


def _function(call: Call) -> tuple[str, str]:
    """The name of a call's function and its arguments, "" for what a part does not hold."""
    function = call.get("function")
    found = function if isinstance(function, dict) else {}
    name, arguments = (found.get(part) for part in ("name", "arguments"))
    return (
        name if isinstance(name, str) else "",
        arguments if isinstance(arguments, str) else "",
    )


def _is_whole(arguments: str) -> bool:
    try:
        orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return False
    return True


def _new_id() -> str:
    return "".join(secrets.choice(ID_ALPHABET) for _ in range(ID_LENGTH))
