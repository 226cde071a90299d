"""Every way in which the faulty upstream answers, by the name that asks for it.

FAULTS write to the socket as they please; the others are `variants` of a good answer.
`stream-N` is made on demand.
"""

import asyncio
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from random import Random

from tests.faults.answers import (
    FOREIGN,
    Answer,
    Frame,
    Variant,
    as_data,
    note,
    plain_frames,
    serve,
)
from tests.faults.attempt import Attempt, as_json, error_body, head
from tests.faults.variants import GOOD, MEGABYTE, TWO_WORDS, VARIANTS

Script = Callable[[Attempt], Awaitable[None]]

STREAM_N = re.compile(r"stream-(\d{1,6})")
REFUSALS = (401, 403, 404, 408, 413, 429, 502, 503, 529)


async def hang(_: Attempt) -> None:
    await asyncio.Event().wait()


async def refuse(_: Attempt) -> None:
    """Leave without a word: the connection is closed behind this."""


async def reset(attempt: Attempt) -> None:
    await attempt.reset()


async def refusal(attempt: Attempt, status: int) -> None:
    headers = {"retry_after": "7"} if status in (429, 503) else {}
    await attempt.respond(status, error_body(status, f"secret-detail of a {status}"), **headers)


async def bad_request(attempt: Attempt) -> None:
    error = {"message": "Too long.", "type": "x", "code": "context_length_exceeded"}
    await attempt.respond(400, as_json({"error": error}))


async def html(attempt: Attempt, status: int) -> None:
    page = b"<html><h1>Oops</h1>" + b"<p>secret-detail</p>" * 10_240 + b"</html>"
    await attempt.respond(status, page, content_type="text/html")


async def status_only(attempt: Attempt, status: int) -> None:
    await attempt.send_head(status)


async def text(attempt: Attempt, body: bytes, kind: str = "application/json") -> None:
    await attempt.respond(200, body, content_type=kind)


def failing_frames(answer: Answer) -> Iterator[Frame]:
    yield from answer.content_frames()
    yield Frame({"error": {"message": "It broke.", "type": "server_error", "code": 500}})


async def error_mid_stream(attempt: Attempt) -> None:
    if not attempt.stream:
        await text(attempt, error_body(500, "It broke."))
        return
    await serve(attempt, replace(TWO_WORDS, frames=failing_frames, done=""))


def empty_frames(answer: Answer) -> Iterator[Frame]:
    yield Frame(answer.envelope("chat.completion.chunk", []))


async def empty(attempt: Attempt) -> None:
    if attempt.stream:
        await serve(attempt, Variant(words=(), frames=empty_frames))
    else:
        await text(attempt, as_json(Answer(GOOD, attempt).envelope("chat.completion", [])))


async def flaky(attempt: Attempt, turns: Counter[str]) -> None:
    """Fail on every other request, beginning with the first."""
    turns["flaky"] += 1
    await (refusal(attempt, 503) if turns["flaky"] % 2 else serve(attempt, GOOD))


async def flaky_at_random(attempt: Attempt, coin: Random) -> None:
    """Fail on half of the requests, with one 5xx or another."""
    if coin.random() < 0.5:
        await html(attempt, coin.choice((500, 502, 503, 504, 529)))
    else:
        await serve(attempt, GOOD)


async def json_for_stream(attempt: Attempt) -> None:
    attempt.body["stream"] = False
    await serve(attempt, GOOD)


async def sse_for_json(attempt: Attempt) -> None:
    attempt.body["stream"] = True
    await serve(attempt, GOOD)


async def split_wire(attempt: Attempt) -> None:
    """Write every byte on its own, those of the status line and the framing as well."""
    attempt.bytewise = True
    await serve(attempt, Variant(words=FOREIGN))


async def one_packet(attempt: Attempt) -> None:
    if not attempt.stream:
        await serve(attempt, GOOD)
        return
    answer = Answer(GOOD, attempt)
    frames = list(plain_frames(answer))
    events = "".join(as_data(answer.encoded(frame.value)) for frame in frames)
    await attempt.send_head(content_type="text/event-stream", transfer_encoding="chunked")
    await attempt.send_chunk(events.encode() + b"data: [DONE]\n\n")
    for frame in frames:
        note(attempt, frame)
    await attempt.end_chunks()


async def lying_length(attempt: Attempt, difference: int) -> None:
    body = good_body(attempt)
    length = str(len(body) + difference)
    await attempt.send(head(200, content_type="application/json", content_length=length) + body)
    count_good(attempt)


async def extra_response(attempt: Attempt) -> None:
    """Follow a good answer by one that nobody asked for, on a connection that stays open."""
    body = as_json({"choices": [{"message": {"content": "belongs to nobody"}}]})
    extra = head(200, content_type="application/json", content_length=str(len(body))) + body
    good = good_body(attempt)
    first = head(200, content_type="application/json", content_length=str(len(good))) + good
    await attempt.send(first + extra)
    count_good(attempt)
    attempt.keep_alive = True


async def bad_chunk(attempt: Attempt, size: bytes) -> None:
    await attempt.send_head(content_type=attempt.kind, transfer_encoding="chunked")
    await attempt.send_chunk(b": so far so good\n\n" if attempt.stream else b"{")
    await attempt.send(size + b"\r\ndata: {}\n\n\r\n")


async def odd_headers(attempt: Attempt, headers: bytes) -> None:
    good = head(200, content_type="application/json").removesuffix(b"\r\n")
    body = good_body(attempt)
    await attempt.send(good + headers + b"content-length: %d\r\n\r\n" % len(body) + body)
    count_good(attempt)


async def preceded(attempt: Attempt, informational: bytes) -> None:
    await attempt.send(informational)
    await serve(attempt, GOOD)


async def redirect(attempt: Attempt, status: int) -> None:
    """Lead back here: whoever follows is in the ledger a second time."""
    host, port = attempt.writer.get_extra_info("sockname")
    await attempt.respond(status, b"{}", location=f"http://{host}:{port}/v1/chat/completions")


async def compressed(attempt: Attempt, encoding: str, body: Callable[[], bytes]) -> None:
    await attempt.respond(200, body(), content_encoding=encoding, content_type=attempt.kind)


@cache
def bomb(layers: int) -> bytes:
    """Compress 64 MB of blanks, again and again."""
    packer = zlib.compressobj(wbits=31)
    packed = b"".join(packer.compress(b" " * MEGABYTE) for _ in range(64)) + packer.flush()
    for _ in range(layers - 1):
        packed = gzip.compress(packed)
    return packed


def good_body(attempt: Attempt) -> bytes:
    return as_json(Answer(GOOD, attempt).body())


def count_good(attempt: Attempt) -> None:
    attempt.completion_tokens_written += len(GOOD.words)
    attempt.usage_reported = Answer(GOOD, attempt).usage()


def half_body(attempt: Attempt) -> bytes:
    body = good_body(attempt)
    return body[: len(body) // 2]


async def truncate_json(attempt: Attempt) -> None:
    """Send half of the JSON in a response that is whole by its length."""
    await text(attempt, half_body(attempt))


MANY_HEADERS = b"".join(b"x-header-%d: value\r\n" % number for number in range(10_000))

FAULTS: dict[str, Script] = {
    "refuse": refuse,
    "hang": hang,
    "reset": reset,
    "http-400": bad_request,
    "http-500": partial(html, status=500),
    **{f"http-{status}": partial(refusal, status=status) for status in REFUSALS},
    "http-204": partial(status_only, status=204),
    "http-206": partial(html, status=206),
    "http-101": partial(status_only, status=101),
    "error-200": partial(text, body=error_body(500, "secret-detail")),
    "error-mid-stream": error_mid_stream,
    "empty": empty,
    "invalid-json": partial(text, body=b'{"id": oops'),
    "array-json": partial(text, body=b"[]"),
    "null-json": partial(text, body=b"null"),
    "truncate-json": truncate_json,
    "html-200": partial(html, status=200),
    "json-for-stream": json_for_stream,
    "sse-for-json": sse_for_json,
    "gzip-bomb": partial(compressed, encoding="gzip", body=partial(bomb, 1)),
    "gzip-triple": partial(compressed, encoding="gzip, gzip, gzip", body=partial(bomb, 3)),
    "gzip-lie": partial(compressed, encoding="gzip", body=lambda: b'{"choices": []}'),
    "redirect": partial(redirect, status=302),
    "redirect-307": partial(redirect, status=307),
    "split-wire": split_wire,
    "one-packet": one_packet,
    "lying-length-long": partial(lying_length, difference=100),
    "lying-length-short": partial(lying_length, difference=-20),
    "extra-response": extra_response,
    "bad-chunk": partial(bad_chunk, size=b"zz"),
    "chunk-extension": partial(bad_chunk, size=b"a;x=" + b"y" * MEGABYTE),
    "many-headers": partial(odd_headers, headers=MANY_HEADERS),
    "huge-header": partial(odd_headers, headers=b"x-huge: " + b"h" * MEGABYTE + b"\r\n"),
    "nul-header": partial(odd_headers, headers=b"x-nul: a\x00b\r\n"),
    "early-hints": partial(preceded, informational=b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"),
    "continue-100": partial(preceded, informational=b"HTTP/1.1 100 Continue\r\n\r\n"),
    "flaky-50": partial(flaky, turns=Counter()),
    "flaky-random": partial(flaky_at_random, coin=Random(32)),
}


def find(name: str) -> Script | None:
    if name in FAULTS:
        return FAULTS[name]
    if match := STREAM_N.fullmatch(name):
        # Four bytes each: what we estimate by bytes is then what was served.
        words = tuple(f" {number:03}" for number in range(int(match[1])))
        return partial(serve, variant=Variant(words=words, pause=0.02))
    return partial(serve, variant=VARIANTS[name]) if name in VARIANTS else None


def names() -> list[str]:
    return sorted([*FAULTS, *VARIANTS, "stream-200"])
