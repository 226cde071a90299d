import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import httpx
import pytest

from routing.failures import NO_REFUSAL, AttemptFailed, Refusal, in_band_failure, told
from routing.upstream import Answer, Deadline, Speed, Upstream
from tests.conftest import FakeProvider, completion_json
from tests.routing.rawserver import CHUNKED, GOOD, Server, answering, hanging_after, pausing
from tests.routing.values import make_offer


@pytest.fixture
async def upstream(provider: FakeProvider) -> AsyncIterator[Upstream]:
    upstream = Upstream(httpx.MockTransport(provider.handle))
    yield upstream
    await upstream.close()


async def call(upstream: Upstream, **fields: Any) -> dict[str, Any]:
    async with (
        Deadline(5, 5) as deadline,
        upstream.call(make_offer(**fields), b"{}", "gen-1:1", deadline) as answer,
    ):
        return await answer.json()


async def failure_of(upstream: Upstream) -> AttemptFailed:
    with pytest.raises(AttemptFailed) as failure:
        await call(upstream)
    return failure.value


async def test_an_endpoint_is_asked_at_its_address_with_its_key(
    upstream: Upstream, provider: FakeProvider
) -> None:
    await call(upstream, base_url="https://up.example.com/v1", credential="sk-1")

    request = provider.requests[0]
    assert (request.method, str(request.url)) == (
        "POST",
        "https://up.example.com/v1/chat/completions",
    )
    assert request.headers["Authorization"] == "Bearer sk-1"
    assert request.headers["X-Attempt-Id"] == "gen-1:1"


async def test_an_endpoint_without_a_key_is_sent_none(
    upstream: Upstream, provider: FakeProvider
) -> None:
    await call(upstream, credential="")

    assert "Authorization" not in provider.requests[0].headers


@pytest.mark.parametrize(
    ("status", "told", "error_type", "retryable"),
    [
        (400, 400, "invalid_request", False),
        (413, 400, "invalid_request", False),
        (422, 400, "invalid_request", False),
        *[(status, 502, "provider_unavailable", True) for status in (401, 402, 403, 404, 405)],
        *[(status, 502, "provider_unavailable", True) for status in (204, 206, 301, 500, 502)],
        *[(status, 504, "timeout", True) for status in (408, 504, 524)],
        (409, 502, "provider_unavailable", True),
        (429, 429, "rate_limit_exceeded", True),
        (503, 503, "provider_overloaded", True),
        (529, 503, "provider_overloaded", True),
        (418, 502, "provider_unavailable", False),
    ],
)
async def test_a_status_decides_what_the_client_is_told(
    upstream: Upstream,
    provider: FakeProvider,
    status: int,
    told: int,
    error_type: str,
    retryable: bool,
) -> None:
    provider.reply(status=status, content=b"secret of the provider")

    failure = await failure_of(upstream)

    assert (failure.status, failure.error_type, failure.retryable) == (told, error_type, retryable)
    assert failure.http_status == status
    assert "secret" not in failure.message


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7), ("0", 1), ("999999", 3600), ("soon", None), ("-1", None), ("٣", None)],
)
async def test_how_long_to_wait_is_read_within_reason(
    upstream: Upstream, provider: FakeProvider, value: str, seconds: int | None
) -> None:
    provider.reply(status=429, headers=[(b"retry-after", value.encode())])

    assert (await failure_of(upstream)).retry_after == seconds


@pytest.mark.parametrize(("status", "seconds"), [(429, 1), (503, 2), (529, 2), (500, None)])
async def test_a_client_is_told_to_wait_where_the_provider_says_nothing(
    upstream: Upstream, provider: FakeProvider, status: int, seconds: int | None
) -> None:
    provider.reply(status=status)

    assert told([await failure_of(upstream)], [make_offer()]).retry_after == seconds


@pytest.mark.parametrize("place", ["code", "metadata"])
async def test_a_known_code_of_a_refusal_is_passed_on(
    upstream: Upstream, provider: FakeProvider, place: str
) -> None:
    code = "context_length_exceeded"
    error = {"code": code} if place == "code" else {"metadata": {"error_type": code}}
    provider.reply(status=400, json={"error": error | {"message": "secret"}})

    failure = await failure_of(upstream)

    assert (failure.status, failure.error_type) == (400, code)
    assert "secret" not in failure.message


REFUSALS = [b"<html>", b"[]", b"null", b'{"error": []}', b'{"error": "x"}', b"x" * 100_000]
REFUSALS += [b'{"error": {"code": ["x"]}}', b'{"error": {"code": {}}}']
REFUSALS += [b'{"error": {"metadata": "x"}}', b'{"error": {"metadata": ["x"]}}']


@pytest.mark.parametrize("body", REFUSALS, ids=lambda body: body[:30].decode())
async def test_a_refusal_without_a_known_code_is_only_a_refusal(
    upstream: Upstream, provider: FakeProvider, body: bytes
) -> None:
    provider.reply(status=400, content=body)

    assert (await failure_of(upstream)).error_type == "invalid_request"


SAID = {"message": "'temperature' is 5; expected at most 2.", "param": "temperature"}


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_why_a_request_was_refused_is_for_its_sender(
    upstream: Upstream, provider: FakeProvider, status: int
) -> None:
    provider.reply(status=status, json={"error": SAID})

    failure = await failure_of(upstream)

    assert failure.refusal == Refusal(param="temperature", words=SAID["message"])
    assert SAID["message"] not in failure.message


@pytest.mark.parametrize("status", [401, 402, 403, 404, 429, 500, 503])
async def test_what_a_provider_says_of_anything_else_stays_with_us(
    upstream: Upstream, provider: FakeProvider, status: int
) -> None:
    provider.reply(status=status, json={"error": SAID})

    assert (await failure_of(upstream)).refusal == NO_REFUSAL


@pytest.mark.parametrize("encoding", ["gzip", "br", "gzip, gzip, gzip"])
async def test_a_compressed_answer_is_refused_unread(
    upstream: Upstream, provider: FakeProvider, encoding: str
) -> None:
    provider.requests.clear()
    provider._replies["up"] = [
        lambda: httpx.Response(
            200, headers={"content-encoding": encoding}, stream=httpx.ByteStream(b"x")
        )
    ]

    assert "compressed" in (await failure_of(upstream)).message


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'"x"', b'{"choices": [', b"NaN"])
async def test_an_answer_that_is_no_completion_may_have_been_billed(
    upstream: Upstream, provider: FakeProvider, body: bytes
) -> None:
    provider.reply(content=body)

    failure = await failure_of(upstream)

    assert (failure.status, failure.billed, failure.retryable) == (502, True, True)


@pytest.mark.parametrize(
    ("error", "billed"),
    [
        (httpx.ConnectError("refused"), False),
        (httpx.ConnectTimeout("slow"), False),
        (httpx.PoolTimeout("full"), False),
        (httpx.ReadError("reset"), True),
        (httpx.RemoteProtocolError("garbage"), True),
    ],
)
async def test_what_never_arrived_was_never_billed(
    upstream: Upstream, provider: FakeProvider, error: Exception, billed: bool
) -> None:
    provider.fail("up", error)

    failure = await failure_of(upstream)

    assert (failure.status, failure.billed) == (502, billed)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"code": 429}, 429),
        ({"code": "503"}, 503),
        ({"code": 401}, 502),
        ({"code": "server_error"}, 502),
        ({"code": 200}, 502),
        ({"code": None}, 502),
        ({"code": True}, 502),
        ({"code": "²"}, 502),
        ("boom", 502),
        ([1], 502),
    ],
)
def test_an_error_inside_a_200_is_the_failure_of_its_code(error: Any, status: int) -> None:
    assert in_band_failure(error).status == status


async def test_an_error_inside_a_200_is_no_answer(
    upstream: Upstream, provider: FakeProvider
) -> None:
    provider.reply(json=completion_json(error={"code": 429, "message": "slow down"}))

    assert (await failure_of(upstream)).status == 429


def test_speed_leans_to_the_newest_answer() -> None:
    blended = Speed(200, 50).blended(Speed(100, 100))

    assert blended == Speed(pytest.approx(120), pytest.approx(90))


async def test_endpoints_are_ordered_by_what_was_measured(upstream: Upstream) -> None:
    slow, fast, unknown = (make_offer(id=number) for number in (1, 2, 3))
    upstream.note_speed(slow, 900, 10)
    upstream.note_speed(fast, 100, 90)

    by_latency = sorted([unknown, slow, fast], key=upstream.speeds("latency"))
    by_throughput = sorted([unknown, slow, fast], key=upstream.speeds("throughput"))

    assert [offer.id for offer in by_latency] == [2, 1, 3]
    assert [offer.id for offer in by_throughput] == [2, 1, 3]


@pytest.mark.parametrize(
    ("content_type", "is_stream"),
    [
        ("text/event-stream", True),
        ("text/event-stream; charset=utf-8", True),
        ("Text/Event-Stream", True),
        ("application/json", False),
        ("", False),
    ],
)
async def test_a_stream_is_known_by_its_type(content_type: str, is_stream: bool) -> None:
    response = httpx.Response(200, headers={"content-type": content_type})

    assert Answer(response, Deadline(1, 1)).is_stream is is_stream


async def outlive(deadline: Deadline, *, within: float | None = None) -> None:
    async with deadline:
        if within is not None:
            deadline.within(within)
        await asyncio.Event().wait()


async def test_a_deadline_that_was_left_ends_the_call_at_once() -> None:
    deadline = Deadline(60, 60)
    deadline.leave()

    with pytest.raises(TimeoutError):
        await outlive(deadline)


async def test_a_deadline_is_never_moved_past_its_end() -> None:
    with pytest.raises(TimeoutError):
        await outlive(Deadline(0, 60), within=60)


async def test_a_deadline_that_was_left_is_never_moved_again() -> None:
    deadline = Deadline(60, 60)
    deadline.leave()

    with pytest.raises(TimeoutError):
        await outlive(deadline, within=60)


@pytest.fixture
async def connected() -> AsyncIterator[Upstream]:
    connected = Upstream()
    yield connected
    await connected.close()


async def ask(connected: Upstream, server: Server) -> dict[str, Any]:
    return await call(connected, base_url=f"http://127.0.0.1:{server.port}/v1")


async def test_a_connection_serves_one_call_after_another(
    connected: Upstream, server: Server
) -> None:
    answers = [await ask(connected, server) for _ in range(3)]

    assert (answers, server.accepted, server.asked) == ([{}] * 3, 1, 3)


async def test_a_connection_outlives_a_refusal(connected: Upstream, server: Server) -> None:
    server.script = answering(b"HTTP/1.1 429 Slow\r\nContent-Length: 2\r\n\r\n{}")
    with pytest.raises(AttemptFailed):
        await ask(connected, server)

    server.script = answering(GOOD)

    assert (await ask(connected, server), server.accepted) == ({}, 1)


async def test_an_answer_that_made_no_sense_is_the_last_of_its_connection(
    connected: Upstream, server: Server
) -> None:
    server.script = answering(GOOD.replace(b"{}", b"oo"))

    with pytest.raises(AttemptFailed):
        await ask(connected, server)

    assert await server.all_closed()


EVENTS = CHUNKED[:-2] + b"Content-Type: text/event-stream\r\n\r\n"


async def stream(connected: Upstream, server: Server) -> list[Any]:
    offer = make_offer(base_url=f"http://127.0.0.1:{server.port}/v1")
    async with (
        Deadline(5, 5) as deadline,
        connected.call(offer, b"{}", "gen-1:1", deadline) as answer,
        aclosing(answer.events()) as batches,
    ):
        return await anext(batches)


async def test_a_connection_outlives_a_stream_that_ends_after_its_end_mark(
    connected: Upstream, server: Server
) -> None:
    server.script = pausing(EVENTS + b"e\r\ndata: [DONE]\n\n\r\n", b"0\r\n\r\n")

    for _ in range(2):
        assert await stream(connected, server) == [None]
        await asyncio.sleep(0.1)

    assert (server.accepted, server.asked) == (1, 2)


async def test_a_stream_that_is_left_before_its_end_mark_is_closed(
    connected: Upstream, server: Server
) -> None:
    server.script = hanging_after(EVENTS + b"a\r\ndata: {}\n\n\r\n")

    assert await stream(connected, server) == [{}]

    assert await server.all_closed()
