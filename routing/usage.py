"""Token counts as providers report them, made safe to charge for."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

# Above it a count is a provider's mistake, not an answer.
HIGHEST_COUNT = 1_000_000_000
# More than any documented answer does; bounds what one may cost.
MOST_SEARCHES = 10
# English text in the vocabularies of the pool's models has close to four bytes a token.
BYTES_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one answer; prompt_tokens includes the cached and the written ones."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    audio_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    web_searches: int = 0
    source: str = "none"
    anomaly: bool = False

    def at_least(self, completion_tokens: int) -> "Usage":
        """The same with our own count of an answer that went on after it was reported."""
        if completion_tokens <= self.completion_tokens:
            return self
        return replace(self, completion_tokens=completion_tokens, source="estimated")


def from_upstream(reported: Any, *, cached_in_prompt: bool, most_searches: int = 0) -> Usage | None:
    """The usage object of an answer, or None where it cannot be charged for.

    Counts that contradict each other are clamped and flagged; a missing or impossible prompt or
    completion count makes the whole report unusable.
    """
    if not isinstance(reported, dict):
        return None
    prompt, completion = _count(reported, "prompt_tokens"), _count(reported, "completion_tokens")
    if prompt is None or completion is None:
        return None
    prompt_details = _details(reported, "prompt_tokens_details")
    completion_details = _details(reported, "completion_tokens_details")
    cached = _count(prompt_details, "cached_tokens") or 0
    written = _count(prompt_details, "cache_write_tokens") or 0
    reasoning = _count(completion_details, "reasoning_tokens") or 0
    if not cached_in_prompt:
        prompt += cached + written
    is_odd_prompt = cached + written > prompt
    if not is_odd_prompt:
        completion, reasoning = _with_hidden(reported, prompt, completion, reasoning)
    anomaly = (
        is_odd_prompt
        or reasoning > completion
        or _is_odd(prompt_details, "cached_tokens", "cache_write_tokens", "audio_tokens")
        or _is_odd(completion_details, "reasoning_tokens")
    )
    cached = min(cached, prompt)
    return Usage(
        prompt_tokens=prompt,
        cached_tokens=cached,
        cache_write_tokens=min(written, prompt - cached),
        audio_tokens=min(_count(prompt_details, "audio_tokens") or 0, prompt),
        completion_tokens=completion,
        reasoning_tokens=min(reasoning, completion),
        web_searches=min(_web_searches(reported), most_searches),
        source="upstream",
        anomaly=anomaly,
    )


def _with_hidden(
    reported: dict[str, Any], prompt: int, completion: int, reasoning: int
) -> tuple[int, int]:
    """The whole of an answer and its reasoning, where reasoning is in the total alone.

    xAI counts its reasoning apart from the completion, Google in no other count; both charge it.
    """
    hidden = (_count(reported, "total_tokens") or 0) - prompt - completion
    if hidden <= 0:
        return completion, reasoning
    return completion + hidden, max(reasoning, hidden)


def most_searches(supported_parameters: Collection[str]) -> int:
    """How many web searches an answer may be charged for: none where none can be asked for."""
    return MOST_SEARCHES if "web_search_options" in supported_parameters else 0


def tokens_of(answer_bytes: int) -> int:
    """A count of our own."""
    return -(-answer_bytes // BYTES_PER_TOKEN)


def estimated(prompt_tokens: int, completion_tokens: int, *, anomaly: bool = False) -> Usage:
    """Counts of our own for an answer whose provider reported none that can be used."""
    return Usage(
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        source="estimated",
        anomaly=anomaly,
    )


def _count(report: dict[str, Any], name: str) -> int | None:
    value = report.get(name)
    if type(value) is not int or not 0 <= value <= HIGHEST_COUNT:
        return None
    return value


def _is_odd(report: dict[str, Any], *names: str) -> bool:
    """Whether a count is there, and is none."""
    return any(report.get(name) is not None and _count(report, name) is None for name in names)


def _details(report: dict[str, Any], name: str) -> dict[str, Any]:
    value = report.get(name)
    return value if isinstance(value, dict) else {}


def _web_searches(report: dict[str, Any]) -> int:
    for name in ("server_tool_use", "server_tool_use_details"):
        if searches := _count(_details(report, name), "web_search_requests"):
            return searches
    return 0
