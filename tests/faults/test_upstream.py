import gzip
import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.answers import FOREIGN, WORDS
from tests.faults.processes import FaultyUpstream, closed_port, start_upstream
from tests.faults.scripts import find, names

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyUpstream]:
    with start_upstream(tmp_path_factory.mktemp("upstream")) as upstream:
        yield upstream


def make_body(script: str, *, stream: bool) -> bytes:
    messages = [{"role": "user", "content": "Hello"}]
    body = {"model": f"faulty/{script}", "messages": messages, "stream": stream}
    return json.dumps(body).encode()


def connect(upstream: FaultyUpstream, script: str, *, stream: bool = False) -> socket.socket:
    """Ask on a socket of its own, and leave the answer to be read."""
    body = make_body(script, stream=stream)
    peer = socket.create_connection(("127.0.0.1", upstream.port), timeout=5)
    head = f"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: {len(body)}\r\n"
    peer.sendall(f"{head}connection: close\r\nx-attempt-id: {script}\r\n\r\n".encode() + body)
    return peer


def read_raw(peer: socket.socket, silence: float = 5) -> tuple[bytes, str]:
    """Read to the end; tell how it ended: "fin", "rst" or "silence"."""
    peer.settimeout(silence)
    received = bytearray()
    try:
        while data := peer.recv(1 << 20):
            received += data
    except TimeoutError:
        return bytes(received), "silence"
    except ConnectionResetError:
        return bytes(received), "rst"
    return bytes(received), "fin"


def post(connection: http.client.HTTPConnection, script: str, *, stream: bool = False) -> Any:
    body = make_body(script, stream=stream)
    connection.request("POST", "/v1/chat/completions", body, {"X-Attempt-Id": script})
    return connection.getresponse()


def ask(upstream: FaultyUpstream, script: str, *, stream: bool = False) -> tuple[Any, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", upstream.port, timeout=5)
    try:
        response = post(connection, script, stream=stream)
        return response, response.read()
    finally:
        connection.close()


def row_of(upstream: FaultyUpstream, script: str) -> dict[str, Any]:
    return [row for row in upstream.settled_ledger() if row["attempt_id"] == script][-1]


def first_rows(upstream: FaultyUpstream) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 5
    while not (rows := upstream.ledger()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return rows


def text_of(stream: bytes) -> str:
    """Read the text of a well-formed stream in any dialect."""
    lines = stream.decode().lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    events = [
        "\n".join(line[5:] for line in event.split("\n") if line.startswith("data:"))
        for event in lines.split("\n\n")
    ]
    chunks = [json.loads(event) for event in events if event.strip().startswith("{")]
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def test_ok_answers_and_is_on_record(upstream: FaultyUpstream) -> None:
    response, body = ask(upstream, "ok")

    answer, row = json.loads(body), row_of(upstream, "ok")
    assert response.status == 200
    assert answer["choices"][0]["message"]["content"] == "".join(WORDS)
    assert answer["usage"]["prompt_tokens_details"]["cached_tokens"] > 0
    assert row["usage_reported"] == answer["usage"]
    assert row["prompt_tokens"] == answer["usage"]["prompt_tokens"]
    assert row["completion_tokens_written"] == len(WORDS)
    assert row["closed_by"] == "upstream"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("ok", WORDS),
        ("split-1", FOREIGN),
        ("split-utf8", FOREIGN),
        ("split-wire", FOREIGN),
        ("crlf", FOREIGN),
        ("crlf-split-1", FOREIGN),
        ("cr", WORDS),
        ("no-space", WORDS),
        ("comments", WORDS),
        ("event-fields", WORDS),
        ("multi-line-data", WORDS),
        ("bom", WORDS),
        ("one-packet", WORDS),
        ("no-done", WORDS),
    ],
)
def test_dialects_say_the_same(
    upstream: FaultyUpstream, script: str, words: tuple[str, ...]
) -> None:
    _, body = ask(upstream, script, stream=True)

    assert text_of(body) == "".join(words)
    assert (b"[DONE]" in body) == (script != "no-done")
    assert row_of(upstream, script)["completion_tokens_written"] == len(words)


def test_connection_is_kept_after_good_behaviour(upstream: FaultyUpstream) -> None:
    before = upstream.stats()["used_connections"]
    connection = http.client.HTTPConnection("127.0.0.1", upstream.port, timeout=5)
    post(connection, "ok").read()
    post(connection, "ok", stream=True).read()
    post(connection, "http-503").read()
    connection.close()

    assert upstream.stats()["used_connections"] == before + 1


@pytest.mark.parametrize(
    ("script", "stream", "how", "received"),
    [
        ("refuse", True, "fin", b""),
        ("reset", True, "rst", b""),
        ("hang", True, "silence", b""),
        ("hang-mid-stream", True, "silence", b'" upstream"'),
        ("hang-mid-stream", False, "silence", b"content-length"),
        ("reset-mid-stream", True, "rst", b'" upstream"'),
        ("truncate", True, "fin", b'" upstream"'),
        ("truncate-chunked", True, "fin", b"transfer-encoding: chunked"),
        ("error-mid-stream", True, "fin", b'data: {"error"'),
        ("bad-chunk", True, "fin", b"\r\nzz\r\n"),
        ("after-done", True, "fin", b"data: nonsense"),
        ("early-hints", True, "fin", b"HTTP/1.1 103 Early Hints\r\n"),
        ("many-headers", False, "fin", b"x-header-9999: value"),
        ("nul-header", False, "fin", b"a\x00b"),
        ("extra-response", False, "fin", b"belongs to nobody"),
        ("unicode-nasty", False, "fin", b"\\ud800"),
    ],
)
def test_ending(
    upstream: FaultyUpstream, script: str, stream: bool, how: str, received: bytes
) -> None:
    with connect(upstream, script, stream=stream) as peer:
        data, ended = read_raw(peer, silence=0.3 if how == "silence" else 5)

    assert ended == how
    assert received in data


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 529])
def test_status(upstream: FaultyUpstream, status: int) -> None:
    response, body = ask(upstream, f"http-{status}")

    assert response.status == status
    assert response.headers["retry-after"] == {429: "7", 503: "7"}.get(status)
    assert (len(body) > 200_000) == (status == 500)


@pytest.mark.parametrize("script", ["truncate", "lying-length-long"])
def test_body_is_shorter_than_its_length(upstream: FaultyUpstream, script: str) -> None:
    with pytest.raises(http.client.IncompleteRead):
        ask(upstream, script)


@pytest.mark.parametrize("script", ["truncate-json", "invalid-json", "lying-length-short"])
def test_body_is_not_json(upstream: FaultyUpstream, script: str) -> None:
    _, body = ask(upstream, script)

    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


def test_usage_thrice_grows_to_what_was_served(upstream: FaultyUpstream) -> None:
    _, body = ask(upstream, "usage-thrice", stream=True)

    row = row_of(upstream, "usage-thrice")
    assert body.count(b'"usage"') == 3
    assert row["usage_reported"]["completion_tokens"] == row["completion_tokens_written"]


def test_gzip_bomb_is_small_until_unpacked(upstream: FaultyUpstream) -> None:
    response, body = ask(upstream, "gzip-triple")

    assert response.headers["content-encoding"] == "gzip, gzip, gzip"
    assert len(body) < 1000
    assert len(gzip.decompress(gzip.decompress(gzip.decompress(body)))) == 64 * 1024 * 1024


def test_flaky_fails_every_other_time(upstream: FaultyUpstream) -> None:
    statuses = [ask(upstream, "flaky-50")[0].status for _ in range(4)]

    assert statuses == [503, 200, 503, 200]


def test_a_peer_that_leaves_is_on_record(upstream: FaultyUpstream) -> None:
    with connect(upstream, "stream-200", stream=True) as peer:
        peer.recv(100)

    row = row_of(upstream, "stream-200")
    assert row["closed_by"] == "gateway"
    assert row["completion_tokens_written"] < 200
    assert upstream.stats()["closed_by_peer"]["stream-200"] == 1


def test_unknown_script_is_not_found(upstream: FaultyUpstream) -> None:
    response, body = ask(upstream, "nonsense")

    assert response.status == 404
    assert "nonsense" in json.loads(body)["error"]["message"]


def test_every_listed_script_exists() -> None:
    assert [name for name in names() if find(name) is None] == []


def test_a_stopped_upstream_leaves_its_ledger_whole(tmp_path: Path) -> None:
    with start_upstream(tmp_path) as upstream, connect(upstream, "hang"):
        begun = first_rows(upstream)
        upstream.stop()

    assert [row["ended"] for row in begun] == [False]
    assert [row["closed_by"] for row in upstream.ledger()] == ["upstream"]


def test_closed_port_refuses() -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", closed_port()))
