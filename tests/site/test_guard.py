import asyncio
from typing import Any

import orjson
import pytest

from autorouter_site import guard
from autorouter_site.guard import MOST_BODY_BYTES, MOST_HEADER_BYTES, MOST_HEADERS
from autorouter_site.turns import Turns

Header = tuple[bytes, bytes]
HOST = (b"host", b"localhost")
KEY = (b"authorization", b"Bearer x")


class Sent(list[dict[str, Any]]):
    """The messages of an answer."""

    async def send(self, message: dict[str, Any]) -> None:
        self.append(message)

    def answer(self) -> tuple[int, dict[str, Any]]:
        """Status and body; 0 where nothing was sent."""
        body = b"".join(part.get("body", b"") for part in self)
        return (self[0]["status"], orjson.loads(body)) if self else (0, {})

    def headers(self) -> dict[bytes, bytes]:
        return dict(self[0]["headers"])


def make_scope(*headers: Header, **fields: Any) -> dict[str, Any]:
    scope = {"method": "POST", "path": "/", "query_string": "", "headers": [HOST, *headers]}
    return scope | fields


async def answer_to(*headers: Header, lean: bool = False) -> tuple[int, dict[str, Any]]:
    """The status and body of the guard's refusal; 0 where it lets the request pass."""
    sent = Sent()
    refused = await guard.refuse(make_scope(*headers), sent.send, lean=lean)
    assert refused is bool(sent)
    return sent.answer()


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [KEY],
        [(b"x-%d" % n, b"") for n in range(MOST_HEADERS - 1)],
        [(b"x", b"y" * (MOST_HEADER_BYTES - 15))],
        [(b"content-length", b"%d" % MOST_BODY_BYTES)],
        [(b"content-length", b"+5")],
        [(b"transfer-encoding", b"Chunked")],
    ],
)
async def test_a_request_of_usual_size_passes(headers: list[Header]) -> None:
    assert await answer_to(*headers) == (0, {})


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([(b"x-%d" % n, b"") for n in range(MOST_HEADERS)], 431),
        ([(b"x", b"y" * MOST_HEADER_BYTES)], 431),
        ([KEY, KEY], 400),
        ([HOST], 400),
        ([(b"transfer-encoding", b"gzip, chunked")], 400),
        ([(b"content-length", b"%d" % (MOST_BODY_BYTES + 1))], 413),
    ],
)
async def test_a_request_that_is_too_much_is_refused(headers: list[Header], status: int) -> None:
    found, body = await answer_to(*headers)

    assert found == status
    assert body["error"]["code"] == status


@pytest.mark.parametrize("name", [b"x-session-id", b"x-session-affinity"])
async def test_two_session_headers_are_one_too_many(name: bytes) -> None:
    status, _ = await answer_to((name, b"a"), (name, b"b"), lean=True)

    assert status == 400


async def test_a_completion_has_a_cap_of_its_own() -> None:
    length = (b"content-length", b"%d" % (MOST_BODY_BYTES + 1))

    assert await answer_to(length, lean=True) == (0, {})


@pytest.mark.parametrize("host", [b"", b"evil.example", b"a?b", b"localhost:x", b"\xff", b"[::"])
async def test_a_host_that_is_not_ours_is_refused(host: bytes) -> None:
    sent = Sent()

    assert await guard.refuse(make_scope() | {"headers": [(b"host", host)]}, sent.send, lean=True)

    assert sent.answer()[0] == 400
    assert sent.headers()[b"connection"] == b"close"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        *[({"method": method}, 405) for method in ("TRACE", "CONNECT", "BREW", "post", "A" * 5000)],
        *[({"path": path}, 400) for path in ("*", "", "localhost:80")],
        ({"path": "/" + "a" * MOST_HEADER_BYTES}, 431),
        ({"query_string": "a" * MOST_HEADER_BYTES}, 431),
    ],
)
async def test_a_target_no_client_needs_is_refused(fields: dict[str, Any], status: int) -> None:
    sent = Sent()

    assert await guard.refuse(make_scope(**fields), sent.send, lean=False)

    assert sent.answer()[0] == status
    assert (b"allow" in sent.headers()) is (status == 405)


def piece(size: int, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": b"x" * size, "more_body": more}


async def read(*pieces: dict[str, Any]) -> tuple[list[str], int]:
    """What Django is told of a body that arrives like this, and what the client is."""
    arriving = iter(pieces)

    async def receive() -> dict[str, Any]:
        return next(arriving, None) or await asyncio.sleep(60, {})

    body, sent = guard.CappedBody(receive, Turns(1)), Sent()
    kinds = [(await body.receive())["type"] for _ in range(max(1, len(pieces)))]
    await body.close("/", sent.send)
    return kinds, sent.answer()[0]


async def test_a_body_within_the_cap_is_passed_on() -> None:
    kinds, status = await read(piece(5, more=True), piece(MOST_BODY_BYTES - 5, more=False))

    assert (kinds, status) == (["http.request", "http.request"], 0)


async def test_a_body_that_outgrows_the_cap_is_cut_off() -> None:
    kinds, status = await read(piece(MOST_BODY_BYTES, more=True), piece(1, more=True))

    assert (kinds, status) == (["http.request", "http.disconnect"], 413)


async def test_a_body_that_breaks_off_is_told_so() -> None:
    kinds, status = await read(piece(5, more=True), {"type": "http.disconnect"})

    assert (kinds, status) == (["http.request", "http.disconnect"], 400)


async def test_a_body_that_takes_too_long_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.01)

    assert await read() == (["http.disconnect"], 408)


async def test_who_leaves_after_the_body_is_told_nothing() -> None:
    kinds, status = await read(piece(5, more=False), {"type": "http.disconnect"})

    assert (kinds, status) == (["http.request", "http.disconnect"], 0)


async def test_a_name_that_is_not_ours_is_said_with_what_lets_it_in() -> None:
    sent = Sent()

    await guard.refuse(make_scope(headers=[(b"host", b"router.lan:8000")]), sent.send, lean=False)

    status, body = sent.answer()
    assert status == 400
    assert '"router.lan:8000"' in body["error"]["message"]
    assert "AUTOROUTER_HOSTS" in body["error"]["message"]
