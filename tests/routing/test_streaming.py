from itertools import pairwise

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from routing import streaming
from routing.streaming import LARGEST_EVENT_BYTES, EventParser, EventTooLarge
from tests.routing.splits import Split, make_split

TEXTS = [
    "Grüße, Welt",
    "日本語の文章",
    "مرحبا بالعالم",
    "🦊👩‍👩‍👧‍👦 e\u0301",
    "a\u2028b",
    "\u0000\u001b[0m</script>",
]
EVENTS = [orjson.dumps({"text": text}) for text in TEXTS]
DIALECTS = {
    "plain": b"".join(b"data: " + data + b"\n\n" for data in EVENTS),
    "crlf": b"".join(b"data: " + data + b"\r\n\r\n" for data in EVENTS),
    "cr": b"".join(b"data: " + data + b"\r\r" for data in EVENTS),
    "no space": b"".join(b"data:" + data + b"\n\n" for data in EVENTS),
    "bom": b"\xef\xbb\xbf" + b"".join(b"data: " + data + b"\n\n" for data in EVENTS),
    "comments": b"".join(b": hello\n\ndata: " + data + b"\n: world\n\n" for data in EVENTS),
    "fields": b"".join(b"event: x\nid: 7\nretry: 10\ndata: " + data + b"\n\n" for data in EVENTS),
    "unfinished": b"\n\n".join(b"data: " + data for data in EVENTS),
    "empty events": b"".join(b"data:\n\ndata: " + data + b"\n\n" for data in EVENTS),
}


def read(*chunks: bytes) -> list[bytes]:
    parser = EventParser()
    found = [event for chunk in chunks for event in parser.feed(chunk)]
    last = parser.close()
    return found if last is None else [*found, last]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_says_the_same(dialect: str) -> None:
    assert read(DIALECTS[dialect]) == EVENTS


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_byte_at_a_time_says_the_same(dialect: str) -> None:
    stream = DIALECTS[dialect]

    assert read(*(stream[at : at + 1] for at in range(len(stream)))) == EVENTS


@settings(deadline=None, derandomize=True)
@given(st.sampled_from(sorted(DIALECTS)), st.lists(st.integers(0, 10_000), max_size=30))
@example("crlf", [17])
def test_text_is_equal_however_the_stream_was_cut(dialect: str, places: list[int]) -> None:
    assert read(*cut(DIALECTS[dialect], places)) == EVENTS


def text_of(split: Split) -> str:
    events = [orjson.loads(data) for data in read(*split.pieces) if data != b"[DONE]"]
    deltas = [choice["delta"] for event in events for choice in event["choices"]]
    return "".join(delta.get("content", "") for delta in deltas)


def test_ten_thousand_random_splits_say_the_same() -> None:
    splits = map(make_split, range(10_000))

    assert [split.pieces for split in splits if text_of(split) != split.text] == []


@settings(deadline=None, derandomize=True)
@given(st.lists(st.text(), min_size=1), st.lists(st.integers(0, 10_000), max_size=30))
def test_any_text_survives_our_own_framing(texts: list[str], places: list[int]) -> None:
    stream = b"".join(streaming.event(orjson.dumps(text)) for text in texts)

    assert read(*cut(stream, places)) == [orjson.dumps(text) for text in texts]


def test_several_data_lines_are_one_event() -> None:
    assert read(b"data: {\ndata:  1\ndata: }\n\n") == [b"{\n 1\n}"]


@pytest.mark.parametrize("at", range(26))
def test_a_line_end_cut_in_two_ends_one_line(at: int) -> None:
    stream = b"data: [1,\r\ndata: 2]\r\n\r\n"

    assert read(stream[:at], stream[at:]) == [b"[1,\n2]"]


def test_other_fields_are_no_data() -> None:
    assert read(b"database: 1\ndat: 2\n data: 3\n\n") == []


def test_a_byte_order_mark_is_one_only_at_the_start() -> None:
    assert read(b"data: a\n\n\xef\xbb\xbfdata: b\n\n") == [b"a"]


def test_a_line_without_an_end_is_refused_at_the_cap() -> None:
    parser = EventParser()

    with pytest.raises(EventTooLarge):
        [list(parser.feed(b"data: " + b"x" * 100_000)) for _ in range(11)]


def test_an_event_of_many_lines_is_refused_at_the_cap() -> None:
    line = b"data: " + b"x" * 100_000 + b"\n"

    with pytest.raises(EventTooLarge):
        read(line * 11)


def test_many_large_events_are_no_large_event() -> None:
    large = b"data: " + b"x" * (LARGEST_EVENT_BYTES - 10)

    assert len(read(large, b"\n\n" + large, b"\n\n" + large)) == 3


def test_an_event_of_ours_is_one_line() -> None:
    assert streaming.event(orjson.dumps({"text": "a\nb"})) == b'data: {"text":"a\\nb"}\n\n'
