import time

import pytest

from routing import fields
from routing.errors import InvalidRequest

NOT_JSON = [b"", b"  ", b"{", b"{}x", b'{"a":1,}', b"{'a':1}", b"{/**/}", b'{"a":NaN}']
NOT_JSON += [b'{"a":Infinity}', b'{"a":-Infinity}', b'{"a":1e999}', b'{"a":' + b"9" * 5000 + b"}"]
NOT_JSON += [b"\xef\xbb\xbf{}", b'{"a":"\xff"}', b'{"a":"\xc0\xaf"}', b'{"a":"\xed\xa0\x80"}']
NOT_JSON += ['{"a":1}'.encode("utf-16"), b'{"a":"\\ud800"}', b'{"a":"\n"}', b'\\"' * 5000]


@pytest.mark.parametrize("body", NOT_JSON)
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="not valid JSON"):
        fields.read(body)


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"1", b"null", b"true"])
def test_a_body_is_an_object(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="must be a JSON object, not"):
        fields.read(body)


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (b'{"model":"a","model":"b"}', "model"),
        (b'{"a":[{"max_tokens":1,"max_tokens":2}]}', "max_tokens"),
        (b'{"a":":","\\u0061":1}', "a"),
        (b'{"a\\"b":1,"a\\"b":1}', 'a"b'),
    ],
)
def test_a_duplicate_key_is_refused_by_name(body: bytes, key: str) -> None:
    with pytest.raises(InvalidRequest, match="duplicate key") as refusal:
        fields.read(body)

    assert refusal.value.metadata["param"] == key


@pytest.mark.parametrize("depth", [65, 1000, 20_000, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_deep_nesting_is_refused_before_it_is_parsed(
    depth: int, opening: bytes, closing: bytes
) -> None:
    inner = opening * (depth - 1) + b"1" + closing * (depth - 1)

    with pytest.raises(InvalidRequest, match="nested at most 64 deep"):
        fields.read(b'{"a":' + inner + b"}")


def test_nesting_up_to_the_limit_is_read() -> None:
    body = b'{"a":' + b"[" * 63 + b"]" * 63 + b"}"

    assert fields.read(body).keys() == {"a"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":[' + b",".join([b"{}"] * 200_000) + b"]}",
        b'{"a":[' + b",".join([b'""'] * 250_000) + b"]}",
        b"{" + b",".join(b'"%d":1' % n for n in range(150_000)) + b"}",
    ],
    ids=["objects", "strings", "keys"],
)
def test_too_many_parts_are_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="at most 200000 keys and values"):
        fields.read(body)


@pytest.mark.parametrize(
    "text", [r"a\\", r"\\\"", r"{[:,", r"\"}\"", r"\u0022:", "ключ: значение", r"C:\\x\\"]
)
def test_what_stands_in_a_string_is_not_structure(text: str) -> None:
    body = f'{{"one":"{text}","two":["{text}","{text}"]}}'.encode()

    assert fields.read(body).keys() == {"one", "two"}


def test_sixteen_megabytes_of_image_are_read_quickly() -> None:
    body = b'{"a":"' + b"A" * 16_000_000 + b'"}'
    started = time.perf_counter()

    fields.read(body)

    assert time.perf_counter() - started < 1


def test_a_long_key_is_clipped_where_it_is_refused() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        fields.known_keys("plugins[0]", {"x" * 100_000: 1}, ("id",))

    assert len(refusal.value.message) < 200
