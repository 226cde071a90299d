"""Event streams of many languages and dialects, cut at random; the same seed cuts the same way."""

import os
from dataclasses import dataclass
from itertools import pairwise
from random import Random

import orjson

from tests.conftest import chunk, usage_chunk

LONG = os.environ.get("LONG") == "1"
TEXTS = (
    *("Grüße, Welt", "日本語の文章。", "مرحبا بالعالم", "नमस्ते", "שלום", "Привет", "한국어", "ไทย"),
    *(
        "🦊",
        "👩\u200d👩\u200d👧\u200d👦",
        "e\u0301",
        "a\u2028b\u2029c\u0085d",
        "\ufeff",
        "\U0001d56c\U0010ffff",
    ),
    *(
        "\u0000\u001b[0m</script>",
        "line\nbreak\r\n",
        "data: no\n\nevent",
        ": no comment",
        "[DONE]",
        " ",
    ),
)
ENDS = (b"\n", b"\r\n", b"\r")
NOISE = (
    b": OPENROUTER PROCESSING",
    b": \xf0\x9f\xa6\x8a",
    b"event: message",
    b"id: 7",
    b"retry: 10",
)
MOST_PIECES = 40


@dataclass(frozen=True)
class Split:
    """The pieces in which a stream arrives, and the text it says."""

    pieces: list[bytes]
    text: str


def make_split(seed: int) -> Split:
    random = Random(seed)
    said = [random.choice(TEXTS) for _ in range(random.randint(1, 12))]
    events = [chunk(text) for text in said]
    data = [orjson.dumps(event) for event in (*events, chunk("", "stop"), usage_chunk())]
    stream = b"".join(_event(random, one) for one in (*data, b"[DONE]"))
    if random.random() < 0.2:
        stream = b"\xef\xbb\xbf" + stream
    return Split(_cut(random, stream), "".join(said))


def _event(random: Random, data: bytes) -> bytes:
    end = random.choice(ENDS)
    lines = [b"data:" + random.choice((b" ", b"")) + line for line in _lines(random, data)]
    if random.random() < 0.3:
        lines.insert(random.randint(0, len(lines)), random.choice(NOISE))
    noise = random.choice(NOISE[:2]) + end * 2 if random.random() < 0.2 else b""
    return noise + end.join(lines) + end * 2


def _lines(random: Random, data: bytes) -> list[bytes]:
    """The data as one line or, where JSON takes a line end for a space, as several."""
    if data == b"[DONE]" or random.random() < 0.7:
        return [data]
    return data.replace(b',"choices"', b',\n"choices"').replace(b'{"id"', b'{\n\n"id"').split(b"\n")


def _cut(random: Random, stream: bytes) -> list[bytes]:
    if random.random() < 0.1:
        return [stream[at : at + 1] for at in range(len(stream))]
    places = sorted(random.randrange(len(stream)) for _ in range(random.randint(0, MOST_PIECES)))
    return [stream[start:end] for start, end in pairwise([0, *places, len(stream)])]
