"""The variants of a good answer: odd endings, texts, usage and identity.

Each comes as JSON or as a stream, whichever was asked for.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from tests.faults.answers import ABSENT, FOREIGN, Answer, Frame, Json, Variant, usage

MEGABYTE = 1024 * 1024
LONG = tuple(f" {number}" for number in range(600))
NASTY = ("</script><script>", "\x1b[31m", "\x00", "\ud800", "\u202e", "'\"\\", "\r\ndata: x\n\n")


def every_byte(data: bytes) -> Iterable[bytes]:
    return (data[at : at + 1] for at in range(len(data)))


def inside_characters(data: bytes) -> Iterator[bytes]:
    """Cut after the first byte of every character that has several."""
    start = 0
    for at, byte in enumerate(data):
        if byte >= 0xC0:
            yield data[start : at + 1]
            start = at + 1
    yield data[start:]


def many_lines(payload: str) -> str:
    lines = payload.replace(', "', ',\n"').split("\n")
    return "".join(f"data: {line}\n" for line in lines) + "\n"


def early_usage_frames(answer: Answer) -> Iterator[Frame]:
    yield from answer.usage_frames()
    yield from answer.content_frames()
    yield answer.chunk({}, answer.variant.finish)


def growing_usage_frames(answer: Answer) -> Iterator[Frame]:
    """Report usage three times, each the total so far: whoever adds them up counts too much."""
    prompt, total = answer.attempt.prompt_tokens, len(answer.variant.words)
    yield answer.usage_frame(usage(prompt, 0))
    yield from answer.content_frames()
    yield answer.usage_frame(usage(prompt, total // 2))
    yield answer.chunk({}, answer.variant.finish)
    yield answer.usage_frame(usage(prompt, total))


def twice_finished_frames(answer: Answer) -> Iterator[Frame]:
    yield from answer.content_frames()
    yield answer.chunk({}, "stop")
    yield answer.chunk({"content": " after the end"})
    yield answer.chunk({}, "length")
    yield from answer.usage_frames()


def cut_frames(answer: Answer) -> Iterator[Frame]:
    return answer.content_frames()


def tool_frames(answer: Answer) -> Iterator[Frame]:
    """Two calls whose arguments arrive in turns, cut inside an escape."""
    for index, name in enumerate(("get_weather", "get_time")):
        function = {"name": name, "arguments": ""}
        call = {"index": index, "id": f"call_{index}", "type": "function", "function": function}
        yield answer.chunk({"tool_calls": [call]}, tokens=1)
    for piece in ('{"city": "K', "\\u00f", "6ln", '"}'):
        for index in range(2):
            call = {"index": index, "function": {"arguments": piece}}
            yield answer.chunk({"tool_calls": [call]})
    yield answer.chunk({}, "tool_calls")
    yield from answer.usage_frames()


def tool_message(_: Answer) -> Json:
    arguments = '{"city": "K\\u00f6ln"}'
    names = enumerate(("get_weather", "get_time"))
    calls = [
        {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for n, name in names
    ]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def odd_usage(**values: Any) -> Callable[[int, int], Any]:
    return lambda prompt, completion: usage(prompt, completion) | values


def cached_over_prompt(prompt: int, completion: int) -> Any:
    details = {"cached_tokens": prompt + 1000}
    return usage(prompt, completion) | {"prompt_tokens_details": details}


def overriding(**values: Any) -> Callable[[], Json]:
    return lambda: values


GOOD = Variant()
TWO_WORDS = Variant(words=GOOD.words[:2], frames=cut_frames)

VARIANTS: dict[str, Variant] = {
    "ok": GOOD,
    "ok-slow": Variant(first_pause=1),
    "long-stream": Variant(words=LONG, pause=0.1),
    "tool-calls": Variant(
        words=("",) * 2, finish="tool_calls", frames=tool_frames, message=tool_message
    ),
    # Endings.
    "truncate": replace(TWO_WORDS, end="fin"),
    "truncate-chunked": replace(TWO_WORDS, end="fin-chunked"),
    "reset-mid-stream": replace(TWO_WORDS, end="reset"),
    "hang-mid-stream": replace(TWO_WORDS, end="hang"),
    "no-done": Variant(done=""),
    "after-done": Variant(done='data: [DONE]\n\ndata: {"choices": []}\n\ndata: nonsense\n\n'),
    "two-finishes": Variant(frames=twice_finished_frames),
    "finish-error": Variant(finish="error"),
    "finish-null": Variant(finish=None),
    "finish-unknown": Variant(finish="banana"),
    "empty-content": Variant(words=(), finish=None),
    # The text of the stream.
    "split-1": Variant(words=FOREIGN, split=every_byte),
    "split-utf8": Variant(words=FOREIGN, split=inside_characters),
    "crlf": Variant(
        words=FOREIGN, event=lambda text: f"data: {text}\r\n\r\n", done="data: [DONE]\r\n\r\n"
    ),
    "cr": Variant(event=lambda text: f"data: {text}\r\r", done="data: [DONE]\r\r"),
    "no-space": Variant(event=lambda text: f"data:{text}\n\n", done="data:[DONE]\n\n"),
    "comments": Variant(event=lambda text: f": busy\n\n:\ndata: {text}\n: so\n\n"),
    "event-fields": Variant(
        event=lambda text: f"event: message\nid: 7\nretry: 10\ndata: {text}\n\n"
    ),
    "multi-line-data": Variant(event=many_lines),
    "bom": Variant(prefix="\ufeff"),
    "no-last-newline": Variant(done="data: [DONE]"),
    "unicode-nasty": Variant(words=NASTY, ascii=True),
    "big-event": Variant(words=("x" * (5 * MEGABYTE),)),
    # Usage.
    "no-usage": Variant(usage=lambda *_: ABSENT),
    "usage-null": Variant(usage=lambda *_: None),
    "usage-negative": Variant(usage=odd_usage(prompt_tokens=-5, completion_tokens=-1)),
    "usage-strings": Variant(usage=odd_usage(prompt_tokens="12", completion_tokens="8")),
    "usage-floats": Variant(usage=odd_usage(prompt_tokens=12.5, completion_tokens=8.0)),
    "usage-huge": Variant(usage=odd_usage(prompt_tokens=10**18, completion_tokens=10**18)),
    "usage-thrice": Variant(frames=growing_usage_frames),
    "usage-early": Variant(frames=early_usage_frames),
    "cached-over-prompt": Variant(usage=cached_over_prompt),
    # Identity.
    "id-null": Variant(overrides=overriding(id=None)),
    "id-constant": Variant(overrides=overriding(id="chatcmpl-constant")),
    "id-huge": Variant(overrides=overriding(id="i" * 10_240)),
    "id-nul": Variant(overrides=overriding(id="a\x00b")),
    "other-model": Variant(overrides=overriding(model="someone/else")),
}
VARIANTS["crlf-split-1"] = replace(VARIANTS["crlf"], split=every_byte)
