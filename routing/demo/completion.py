"""The request as the demo provider reads it: typed, checked, with its cues."""

import re
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from routing.demo.errors import ON_REQUEST, ProviderError, invalid

Message = dict[str, Any]
Value = TypeVar("Value")

ERROR_CUE = re.compile(r"demo:error=([\w-]+)")
STREAM_CUE = re.compile(r"demo:stream=(\d{1,5})")
MAX_STREAM_TOKENS = 10_000


@dataclass(frozen=True)
class Cues:
    """What the last user message asks for besides an answer."""

    status: int | None = None
    breaks: bool = False
    slow: bool = False
    empty: bool = False
    tokens: int | None = None


@dataclass(frozen=True)
class Tool:
    name: str
    parameters: Any


@dataclass(frozen=True)
class Completion:
    """One chat completion that a client asks for."""

    digest_source: bytes
    model: str
    messages: tuple[Message, ...]
    stream: bool
    include_usage: bool
    max_tokens: int | None
    stop: tuple[str, ...]
    tools: tuple[Tool, ...]
    tool_choice: Any
    response_format: dict[str, Any]
    reasoning_field: str | None
    cues: Cues

    @property
    def user_text(self) -> str:
        return last_user_text(self.messages)


def parse(raw: bytes) -> Completion:
    """Read a request body; raises ProviderError 400 for what it cannot be."""
    body = read_object(raw)
    messages = read_messages(body.get("messages"))
    stream_options = optional(body, "stream_options", dict, {})
    return Completion(
        digest_source=raw,
        model=read_model(body.get("model")),
        messages=messages,
        stream=optional(body, "stream", bool, False),
        include_usage=stream_options.get("include_usage") is True,
        max_tokens=read_max_tokens(body),
        stop=read_stop(body.get("stop")),
        tools=tuple(read_tool(tool) for tool in optional(body, "tools", list, [])),
        tool_choice=body.get("tool_choice"),
        response_format=optional(body, "response_format", dict, {}),
        reasoning_field=read_reasoning_field(body),
        cues=read_cues(last_user_text(messages)),
    )


def read_object(raw: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ProviderError(400, f"The body is not valid JSON: {error}.") from error
    if not isinstance(body, dict):
        raise ProviderError(400, "The body is not a JSON object.")
    return body


def optional(body: dict[str, Any], field: str, kind: type[Value], default: Value) -> Value:
    value = body.get(field)
    if value is None:
        return default
    if not isinstance(value, kind):
        raise invalid(field, value, f"a JSON value of type {kind.__name__}")
    return value


def read_model(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise invalid("model", value, "the name of a model")
    return value


def read_messages(value: object) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise invalid("messages", value, "a list of at least one message")
    for index, message in enumerate(value):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise invalid(f"messages[{index}]", message, "an object with a role")
    return tuple(value)


def read_max_tokens(body: dict[str, Any]) -> int | None:
    for field in ("max_completion_tokens", "max_tokens"):
        value = body.get(field)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise invalid(field, value, "a whole number of at least 1")
        return value
    return None


def read_stop(value: object) -> tuple[str, ...]:
    words = [value] if isinstance(value, str) else value or []
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise invalid("stop", value, "a string or a list of strings")
    return tuple(word for word in words if word)


def read_tool(value: object) -> Tool:
    function = value.get("function") if isinstance(value, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise invalid("tools", value, "objects with a function that has a name")
    return Tool(function["name"], function.get("parameters"))


def read_reasoning_field(body: dict[str, Any]) -> str | None:
    """Name the field for the reasoning: each dialect of asking has its own, or none is wanted."""
    if body.get("reasoning_effort") not in (None, "none"):
        return "reasoning_content"
    reasoning = optional(body, "reasoning", dict, {})
    wanted = reasoning.get("effort") != "none" and reasoning.get("enabled") is not False
    return "reasoning" if reasoning and wanted else None


def read_cues(text: str) -> Cues:
    error = ERROR_CUE.search(text)
    tokens = STREAM_CUE.search(text)
    breaks = error is not None and error[1] == "mid-stream"
    return Cues(
        status=read_status(error[1]) if error and not breaks else None,
        breaks=breaks,
        slow="demo:slow" in text,
        empty="demo:empty" in text,
        tokens=min(max(int(tokens[1]), 1), MAX_STREAM_TOKENS) if tokens else None,
    )


def read_status(value: str) -> int:
    if value.isascii() and value.isdigit() and int(value) in ON_REQUEST:
        return int(value)
    accepted = ", ".join(map(str, ON_REQUEST))
    raise invalid("demo:error", value, f"mid-stream or one of {accepted}")


def last_user_text(messages: tuple[Message, ...]) -> str:
    for message in reversed(messages):
        if message["role"] == "user":
            return text_of(message.get("content"))
    return ""


def text_of(content: object) -> str:
    """Give the text of a message's content, whether a string or a list of parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = (part.get("text") for part in content if isinstance(part, dict))
    return " ".join(text for text in texts if isinstance(text, str))
