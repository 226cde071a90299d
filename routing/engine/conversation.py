"""What of a request the router looks at: user turns, system prompt, tools, attachments, size."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

# The last user turns; what was asked before them seldom says what is asked now.
MAX_TURNS = 4

# Characters kept of a text at its beginning and end: questions stand at either, pasted matter
# between them. Bounds the work on any request.
HEAD_LENGTH = 3000
TAIL_LENGTH = 1000

# The same for a text before reminders are cut out of it, so that cutting is bounded too.
RAW_HEAD_LENGTH = 16_000
RAW_TAIL_LENGTH = 8_000

# Google and OpenAI both document about 4 characters of English per token
# (ai.google.dev/gemini-api/docs/tokens). Counted in UTF-8 bytes, so that a Chinese character (3)
# comes to 3/4 and a Cyrillic letter (2) to 1/2 of a token.
BYTES_PER_TOKEN = 4.0

# Role, separators and the start of the answer, per message, as in OpenAI's own counting recipe.
TOKENS_PER_MESSAGE = 4

# Gemini bills 258 tokens per 768 px tile, 32 per second of audio and 263 per second of video
# (ai.google.dev/gemini-api/docs/tokens): four tiles, a minute, and ten pages at one tile each.
TOKENS_PER_ATTACHMENT = {"image": 1032, "audio": 1920, "video": 15_780, "file": 2580}

ATTACHMENT_OF_PART = {
    "image_url": "image",
    "file": "file",
    "input_audio": "audio",
    "video_url": "video",
    "input_video": "video",
}

# What coding harnesses put into a user turn beside the user's words.
REMINDER_TAGS = (
    "system-reminder",
    "environment_details",
    "environment_context",
    "user_instructions",
    "local-command-stdout",
)

# The start of a tool result that a harness without tool messages sends as a user turn.
TOOL_RESULT_MARK = "] Result:"
TOOL_RESULT_HEAD = 300

# A title request of a chat client holds one of these, beside the word "title".
TITLED = (
    "this conversation",
    "the conversation",
    "following conversation",
    "conversation title",
    "this chat",
    "the chat",
    "chat history",
    "chat title",
    "thread title",
    "session title",
    "this session",
)
HOUSEKEEPING = (
    "broad tags categorizing",
    "relevant follow-up questions",
    "new conversation topic",
    "title generator",
    "summarize this conversation in",
    "summarize this coding conversation in",
    "summary of this conversation in",
)

# Such a request states its task at its beginning, before the quoted chat.
HOUSEKEEPING_HEAD = 600


class Conversation(NamedTuple):
    """The part of a request that the analysis reads, capped in number and length.

    turns: what the user said, oldest first, without tool results and harness reminders.
    attachments: which of image, file, audio, video occur in any message.
    prompt_tokens: estimate for the whole request, with tools and all messages.
    """

    turns: tuple[str, ...]
    system: str
    tool_names: tuple[str, ...]
    attachments: frozenset[str]
    response_format: str
    prompt_tokens: int
    max_output_tokens: int | None


def read(
    messages: Sequence[Mapping[str, Any]],
    *,
    tools: Sequence[Mapping[str, Any]] = (),
    response_format: str = "text",
    max_output_tokens: int | None = None,
) -> Conversation:
    """Read chat messages, validated for shape, into what the analysis needs.

    Cost: a constant per message and part for its size, and a capped amount of text.
    """
    attachments = [kind for message in messages for kind in _attachments(message)]
    return Conversation(
        turns=_last_turns(messages),
        system=_system(messages),
        tool_names=tuple(_tool_name(tool) for tool in tools),
        attachments=frozenset(attachments),
        response_format=response_format,
        prompt_tokens=_prompt_tokens(messages, tools, attachments),
        max_output_tokens=max_output_tokens,
    )


def is_housekeeping(conversation: Conversation) -> bool:
    """Tell whether a chat client asks on its own behalf: for a title, tags, or next questions."""
    if conversation.tool_names or not conversation.turns:
        return False
    turn, system = conversation.turns[-1], conversation.system
    text = f"{system[:HOUSEKEEPING_HEAD]}\n{turn[:HOUSEKEEPING_HEAD]}".lower()
    if any(phrase in text for phrase in HOUSEKEEPING):
        return True
    return "title" in text and any(phrase in text for phrase in TITLED)


def _last_turns(messages: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    turns: list[str] = []
    for message in reversed(messages):
        if message.get("role") != "user":
            continue
        text = _said(message)
        if text:
            turns.append(text)
        if len(turns) == MAX_TURNS:
            break
    return tuple(reversed(turns))


def _said(message: Mapping[str, Any]) -> str:
    """Return the user's own words, or nothing where the turn holds only a harness's."""
    text = _clip(_text(message), RAW_HEAD_LENGTH, RAW_TAIL_LENGTH)
    if text.startswith("[") and TOOL_RESULT_MARK in text[:TOOL_RESULT_HEAD]:
        return ""
    if "<" in text:
        for tag in REMINDER_TAGS:
            text = _without(text, f"<{tag}>", f"</{tag}>")
    return _clip(text.strip(), HEAD_LENGTH, TAIL_LENGTH)


def _without(text: str, opening: str, closing: str) -> str:
    """Cut each span between the tags; one without an end is cut to the end."""
    first, *rest = text.split(opening)
    return first + "".join(part.partition(closing)[2] for part in rest)


def _system(messages: Sequence[Mapping[str, Any]]) -> str:
    for message in messages:
        if message.get("role") in ("system", "developer"):
            return _clip(_text(message), HEAD_LENGTH, TAIL_LENGTH)
    return ""


def _clip(text: str, head: int, tail: int) -> str:
    return text if len(text) <= head + tail else f"{text[:head]}\n{text[-tail:]}"


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "\n".join(_texts(content or ()))


def _texts(parts: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    return (str(part.get("text", "")) for part in parts if part.get("type") == "text")


def _attachments(message: Mapping[str, Any]) -> list[str]:
    content = message.get("content")
    if content is None or isinstance(content, str):
        return []
    kinds = (ATTACHMENT_OF_PART.get(part.get("type", "")) for part in content)
    return [kind for kind in kinds if kind is not None]


def _tool_name(tool: Mapping[str, Any]) -> str:
    function = tool.get("function")
    named = function if isinstance(function, Mapping) else tool
    return str(named.get("name", tool.get("type", "")))


def _prompt_tokens(
    messages: Sequence[Mapping[str, Any]],
    tools: Sequence[Mapping[str, Any]],
    attachments: Sequence[str],
) -> int:
    size = sum(map(_size_of_message, messages))
    # repr, not json: as long to a few per cent, and several times as fast.
    size += _size(repr(tools)) if tools else 0
    attached = sum(TOKENS_PER_ATTACHMENT[kind] for kind in attachments)
    return round(size / BYTES_PER_TOKEN) + TOKENS_PER_MESSAGE * len(messages) + attached


def _size_of_message(message: Mapping[str, Any]) -> int:
    content = message.get("content")
    texts = [content] if isinstance(content, str) else _texts(content or ())
    calls = message.get("tool_calls")
    return sum(map(_size, texts)) + (_size(repr(calls)) if calls else 0)


def _size(text: str) -> int:
    """Return the length in UTF-8 bytes, extrapolated from the beginning of a long text."""
    if text.isascii():
        return len(text)
    sample = text[:RAW_HEAD_LENGTH]
    return round(len(sample.encode("utf-8", "replace")) * len(text) / len(sample))
