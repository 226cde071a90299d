"""How the demo provider counts: tokens of the prompt, of the answer, and those cached."""

import re
from collections.abc import Sequence
from typing import Any

import orjson

from routing.demo.completion import Completion, Message, text_of

# A word begins with the blank before it, as in byte-pair vocabularies; long words are cut.
TOKEN = re.compile(r"\s?\S{1,6}|\s")
BYTES_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 4
# Round figures of the order that providers document for one part of middling size.
TOKENS_PER_PART = {"image_url": 512, "input_audio": 256, "file": 1024, "video_url": 2048}
# Providers cache prefixes in blocks; OpenAI's grow by 128 tokens, DeepSeek's by 64.
CACHE_BLOCK_TOKENS = 64


def tokens(text: str) -> tuple[str, ...]:
    """Cut text into the tokens of an answer; together they are the text again."""
    return tuple(TOKEN.findall(text))


def token_count(text: str) -> int:
    return len(tokens(text))


def usage(completion: Completion, completion_tokens: int, reasoning_tokens: int) -> dict[str, Any]:
    prompt_tokens = prompt_token_count(completion, completion.messages)
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": cached_token_count(completion)},
        "completion_tokens_details": {"reasoning_tokens": reasoning_tokens},
    }


def cached_token_count(completion: Completion) -> int:
    """Count what a cache would hold: from the second turn on, all before the last user message.

    The provider keeps no state: a conversation with an assistant's message is on a later turn.
    """
    roles = [message["role"] for message in completion.messages]
    if "assistant" not in roles or "user" not in roles:
        return 0
    last_user = len(roles) - 1 - roles[::-1].index("user")
    if last_user == 0:
        return 0
    count = prompt_token_count(completion, completion.messages[:last_user])
    return count - count % CACHE_BLOCK_TOKENS


def prompt_token_count(completion: Completion, messages: Sequence[Message]) -> int:
    """Count a prefix of the prompt; the tools come before the messages."""
    names = sum(text_tokens(tool.name) for tool in completion.tools)
    schemas = sum(json_tokens(tool.parameters) for tool in completion.tools)
    return names + schemas + sum(message_tokens(message) for message in messages)


def message_tokens(message: Message) -> int:
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    kinds = [part.get("type") for part in parts if isinstance(part, dict)]
    fixed = sum(TOKENS_PER_PART.get(kind, 0) for kind in kinds if isinstance(kind, str))
    calls = message.get("tool_calls")
    called = json_tokens(calls) if calls else 0
    return TOKENS_PER_MESSAGE + text_tokens(text_of(content)) + fixed + called


def json_tokens(value: Any) -> int:
    return -(-len(orjson.dumps(value)) // BYTES_PER_TOKEN)


def text_tokens(text: str) -> int:
    return -(-len(text.encode()) // BYTES_PER_TOKEN)
