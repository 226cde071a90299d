"""What the demo provider says: the same words for the same request."""

from dataclasses import dataclass, replace
from typing import Any

import orjson

from routing.demo.completion import Completion, Tool
from routing.demo.schema import minimal_instance
from routing.demo.usage import token_count, tokens

TOOL_CUES = ("weather", "use the tool")
REASONING = "No model reasons here: the demo provider only looks at how long the message is."
QUOTED_WORDS = 8
QUOTED_CHARACTERS = 60


@dataclass(frozen=True)
class ToolCall:
    name: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """One answer, cut into the tokens that are counted and streamed."""

    reasoning: tuple[str, ...] = ()
    content: tuple[str, ...] = ()
    tool_call: ToolCall | None = None
    finish_reason: str | None = "stop"

    @property
    def completion_tokens(self) -> int:
        call = self.tool_call
        called = token_count(call.name) + len(call.arguments) if call else 0
        return len(self.reasoning) + len(self.content) + called


def compose(completion: Completion) -> Answer:
    if completion.cues.empty:
        return Answer(finish_reason=None)
    reasoning = tokens(REASONING) if completion.reasoning_field else ()
    if tool := tool_to_call(completion):
        arguments = as_json(minimal_instance(tool.parameters))
        answer = Answer(reasoning, (), ToolCall(tool.name, tokens(arguments)), "tool_calls")
    else:
        answer = Answer(reasoning, tokens(content_of(completion)))
    return limited(answer, completion.max_tokens)


def limited(answer: Answer, max_tokens: int | None) -> Answer:
    """Cut the answer after so many tokens, the reasoning among them."""
    if max_tokens is None or answer.completion_tokens <= max_tokens:
        return answer
    reasoning = answer.reasoning[:max_tokens]
    left = max_tokens - len(reasoning)
    call = answer.tool_call
    if call is None:
        content = answer.content[:left]
        return replace(answer, reasoning=reasoning, content=content, finish_reason="length")
    left -= token_count(call.name)
    call = replace(call, arguments=call.arguments[:left]) if left >= 0 else None
    return replace(answer, reasoning=reasoning, tool_call=call, finish_reason="length")


def tool_to_call(completion: Completion) -> Tool | None:
    """Choose the tool that is forced or mentioned; only a user's message is answered by a call."""
    choice = completion.tool_choice
    if not completion.tools or choice == "none" or completion.messages[-1]["role"] != "user":
        return None
    text = completion.user_text.lower()
    forced = forced_name(choice)
    wanted = (tool for tool in completion.tools if tool.name == forced)
    mentioned = (tool for tool in completion.tools if tool.name.lower() in text)
    cued = choice == "required" or forced or any(cue in text for cue in TOOL_CUES)
    return next(wanted, None) or next(mentioned, completion.tools[0] if cued else None)


def forced_name(choice: Any) -> str | None:
    function = choice.get("function") if isinstance(choice, dict) else None
    return function.get("name") if isinstance(function, dict) else None


def content_of(completion: Completion) -> str:
    if completion.cues.tokens is not None:
        return counted_text(completion)
    kind = completion.response_format.get("type")
    if kind == "json_schema":
        wrapper = completion.response_format.get("json_schema")
        schema = wrapper.get("schema") if isinstance(wrapper, dict) else None
        return as_json(minimal_instance(schema))
    if kind == "json_object":
        return as_json({"answer": introduction(completion), "message": reflection(completion)})
    text = " ".join([introduction(completion), reflection(completion), how_to_go_on()])
    return stopped(text, completion.stop)


def counted_text(completion: Completion) -> str:
    """Repeat the answer until it has as many tokens as the message asked for."""
    count = completion.cues.tokens or 0
    once = tokens(f"{introduction(completion)} {reflection(completion)} ")
    return "".join((once * (count // len(once) + 1))[:count])


def introduction(completion: Completion) -> str:
    return (
        "This answer comes from Auto Router's demo provider: no real model ran, "
        f"although {completion.model} was asked for."
    )


def reflection(completion: Completion) -> str:
    text = completion.user_text
    words = text.split()
    if not words:
        return "Your message has no text."
    opening = " ".join(words[:QUOTED_WORDS])[:QUOTED_CHARACTERS]
    size = f"{counted(len(words), 'word')} and {counted(len(text), 'character')}"
    return f"Your message has {size}; it begins: “{opening}”."


def how_to_go_on() -> str:
    return (
        "For real answers, switch a provider on: set a variable such as OPENROUTER_API_KEY, "
        "or enter its key in the admin under Providers."
    )


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def stopped(text: str, stop: tuple[str, ...]) -> str:
    ends = [text.index(word) for word in stop if word in text]
    return text[: min(ends)] if ends else text


def as_json(value: Any) -> str:
    return orjson.dumps(value).decode()
