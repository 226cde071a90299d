"""Answers of the faulty upstream: one shape, and what is odd about each variant of it."""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.faults.attempt import Attempt

Json = dict[str, Any]

WORDS = ("The", " upstream", " answers", " as", " it", " was", " told", ".")
FOREIGN = ("Grüße", ", 世界", "! 🚀", " Привет", " नमस्ते", " 👩‍👩‍👧", " مرحبا", " ẞ")
ABSENT = object()


@dataclass(frozen=True)
class Frame:
    """One event of a stream, and the tokens that count as served once it is written."""

    value: Any
    tokens: int = 0


def usage(prompt: int, completion: int) -> Any:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": prompt // 2},
    }


def as_data(payload: str) -> str:
    return f"data: {payload}\n\n"


def unsplit(data: bytes) -> Iterable[bytes]:
    return [data]


def plain_frames(answer: "Answer") -> Iterator[Frame]:
    yield from answer.content_frames()
    yield answer.chunk({}, answer.variant.finish)
    yield from answer.usage_frames()


@dataclass(frozen=True)
class Variant:
    """How an answer differs from a good one; the defaults are the good one.

    end: "complete", or what follows the last frame: "fin", "fin-chunked", "reset", "hang".
    """

    words: tuple[str, ...] = WORDS
    finish: str | None = "stop"
    usage: Callable[[int, int], Any] = usage
    overrides: Callable[[], Json] = dict
    frames: Callable[["Answer"], Iterator[Frame]] = plain_frames
    message: Callable[["Answer"], Json] | None = None
    event: Callable[[str], str] = as_data
    split: Callable[[bytes], Iterable[bytes]] = unsplit
    ascii: bool = False
    prefix: str = ""
    done: str = "data: [DONE]\n\n"
    first_pause: float = 0
    pause: float = 0
    end: str = "complete"


@dataclass(frozen=True)
class Answer:
    """A variant, as the answer to one attempt."""

    variant: Variant
    attempt: Attempt

    def usage(self) -> Any:
        return self.variant.usage(self.attempt.prompt_tokens, len(self.variant.words))

    def envelope(self, kind: str, choices: list[Json]) -> Json:
        identity = {
            "id": f"chatcmpl-{self.attempt.number}",
            "object": kind,
            "created": 1_700_000_000,
        }
        identity["model"] = self.attempt.model
        return identity | self.variant.overrides() | {"choices": choices}

    def chunk(self, delta: Json, finish: str | None = None, tokens: int = 0) -> Frame:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return Frame(self.envelope("chat.completion.chunk", [choice]), tokens)

    def content_frames(self) -> Iterator[Frame]:
        yield self.chunk({"role": "assistant", "content": ""})
        for word in self.variant.words:
            yield self.chunk({"content": word}, tokens=1)

    def usage_frames(self) -> Iterator[Frame]:
        if (reported := self.usage()) is not ABSENT:
            yield self.usage_frame(reported)

    def usage_frame(self, reported: Any) -> Frame:
        return Frame(self.envelope("chat.completion.chunk", []) | {"usage": reported})

    def body(self) -> Json:
        variant = self.variant
        message = {"role": "assistant", "content": "".join(variant.words)}
        if variant.message:
            message = variant.message(self)
        choice = {"index": 0, "message": message, "finish_reason": variant.finish}
        body = self.envelope("chat.completion", [choice])
        reported = self.usage()
        return body if reported is ABSENT else body | {"usage": reported}

    def encoded(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        return json.dumps(value, ensure_ascii=self.variant.ascii)


async def serve(attempt: Attempt, variant: Variant) -> None:
    await asyncio.sleep(variant.first_pause)
    answer = Answer(variant, attempt)
    if attempt.stream:
        await serve_stream(answer)
    else:
        await serve_body(answer, as_bytes(answer.encoded(answer.body())))


async def serve_stream(answer: Answer) -> None:
    attempt, variant = answer.attempt, answer.variant
    # A body that ends with its connection cannot be told from one that was cut.
    chunked = variant.end != "fin"
    framing = {"transfer_encoding": "chunked"} if chunked else {"connection": "close"}
    await attempt.send_head(content_type="text/event-stream", **framing)
    prefix = variant.prefix
    for frame in variant.frames(answer):
        event = as_bytes(prefix + variant.event(answer.encoded(frame.value)))
        prefix = ""
        for piece in variant.split(event):
            await (attempt.send_chunk(piece) if chunked else attempt.send(piece))
        note(attempt, frame)
        await asyncio.sleep(variant.pause)
    await end_stream(attempt, variant)


def note(attempt: Attempt, frame: Frame) -> None:
    attempt.completion_tokens_written += frame.tokens
    if isinstance(frame.value, dict) and frame.value.get("usage") is not None:
        attempt.usage_reported = frame.value["usage"]


async def end_stream(attempt: Attempt, variant: Variant) -> None:
    if variant.end == "reset":
        await attempt.reset()
    elif variant.end == "hang":
        await asyncio.Event().wait()
    elif variant.end == "complete":
        for piece in variant.split(as_bytes(variant.done)):
            await attempt.send_chunk(piece)
        await attempt.end_chunks()


async def serve_body(answer: Answer, body: bytes) -> None:
    """Send JSON; where the variant is cut short, half of it under the length of the whole."""
    attempt, variant = answer.attempt, answer.variant
    if variant.end != "complete":
        await attempt.send_head(content_type="application/json", content_length=str(len(body)))
        await attempt.send(body[: len(body) // 2])
        await end_stream(attempt, variant)
        return
    await attempt.respond(200, body)
    attempt.completion_tokens_written += len(variant.words)
    reported = answer.usage()
    attempt.usage_reported = None if reported is ABSENT else reported


def as_bytes(text: str) -> bytes:
    return text.encode()
