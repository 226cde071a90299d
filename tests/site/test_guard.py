from typing import Any

import orjson
import pytest

from autorouter_site import guard
from autorouter_site.guard import MOST_BODY_BYTES, MOST_HEADER_BYTES, MOST_HEADERS

Header = tuple[bytes, bytes]
KEY = (b"authorization", b"Bearer x")


async def answer_to(
    *headers: tuple[bytes, bytes], lean: bool = False
) -> tuple[int, dict[str, Any]]:
    """The status and body of the guard's refusal; 0 where it lets the request pass."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    if not await guard.refuse({"headers": list(headers)}, send, lean=lean):
        assert sent == []
        return 0, {}
    return sent[0]["status"], orjson.loads(b"".join(part.get("body", b"") for part in sent))


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [KEY],
        [(b"x-%d" % n, b"") for n in range(MOST_HEADERS)],
        [(b"x", b"y" * (MOST_HEADER_BYTES - 1))],
        [(b"content-length", b"%d" % MOST_BODY_BYTES)],
        [(b"content-length", b"+5")],
    ],
)
async def test_a_request_of_usual_size_passes(headers: list[Header]) -> None:
    assert await answer_to(*headers) == (0, {})


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([(b"x-%d" % n, b"") for n in range(MOST_HEADERS + 1)], 431),
        ([(b"x", b"y" * MOST_HEADER_BYTES)], 431),
        ([KEY, KEY], 400),
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


async def test_a_body_that_outgrows_the_cap_is_cut_off() -> None:
    chunk = {"type": "http.request", "body": b"x" * 1_000_000, "more_body": True}

    async def receive() -> dict[str, Any]:
        return chunk

    capped = guard.capped(receive)

    kinds = [(await capped())["type"] for _ in range(3)]
    assert kinds == ["http.request", "http.request", "http.disconnect"]
