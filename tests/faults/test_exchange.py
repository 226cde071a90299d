from decimal import Decimal
from typing import Any

import httpx
import pytest

from activity.models import Generation
from tests.conftest import events_of
from tests.faults.answers import FOREIGN, WORDS
from tests.faults.conftest import FaultyApi

pytestmark = pytest.mark.slow


async def ask(faulty: FaultyApi, script: str, **fields: Any) -> httpx.Response:
    await faulty.serve(script)
    return await faulty.complete("Hello", model=f"faulty/{script}", **fields)


async def row_of(response: httpx.Response) -> Generation:
    return await Generation.objects.aget(id=response.headers["X-Generation-Id"])


def text_of(events: list[Any]) -> str:
    deltas = [e["choices"][0]["delta"] for e in events if e != "[DONE]" and e["choices"]]
    return "".join(delta.get("content") or "" for delta in deltas)


FAILURES = [
    ("refuse", 502, "provider_unavailable"),
    ("reset", 502, "provider_unavailable"),
    ("http-400", 400, "context_length_exceeded"),
    ("http-401", 502, "provider_unavailable"),
    ("http-403", 502, "provider_unavailable"),
    ("http-404", 502, "provider_unavailable"),
    ("http-413", 400, "invalid_request"),
    ("http-429", 429, "rate_limit_exceeded"),
    ("http-500", 502, "provider_unavailable"),
    ("http-503", 503, "provider_overloaded"),
    ("http-529", 503, "provider_overloaded"),
    ("http-204", 502, "provider_unavailable"),
    ("redirect", 502, "provider_unavailable"),
    ("error-200", 502, "provider_unavailable"),
    ("empty", 502, "provider_unavailable"),
    ("empty-content", 502, "provider_unavailable"),
    ("invalid-json", 502, "provider_unavailable"),
    ("truncate-json", 502, "provider_unavailable"),
    ("array-json", 502, "provider_unavailable"),
    ("null-json", 502, "provider_unavailable"),
    ("html-200", 502, "provider_unavailable"),
    ("sse-for-json", 502, "provider_unavailable"),
    ("lying-length-long", 502, "provider_unavailable"),
    ("bad-chunk", 502, "provider_unavailable"),
    ("huge-header", 502, "provider_unavailable"),
    ("many-headers", 502, "provider_unavailable"),
    ("gzip-bomb", 502, "provider_unavailable"),
    ("gzip-triple", 502, "provider_unavailable"),
    ("finish-error", 502, "provider_unavailable"),
]
REFUSALS = {"http-400": "Too long.", "http-413": "secret-detail of a 413"}
# A stream of these fails only after its answer began, or is read as events all the same.
WHOLE_ANSWERS = {
    "truncate-json",
    "invalid-json",
    "sse-for-json",
    "finish-error",
    "array-json",
    "null-json",
    "lying-length-long",
    "bad-chunk",
}
STREAMED_FAILURES = [
    ("big-event", 502, "provider_unavailable"),
    *(failure for failure in FAILURES if failure[0] not in WHOLE_ANSWERS),
]


@pytest.mark.parametrize(("script", "status", "error_type"), FAILURES)
async def test_a_failure_is_a_status_and_costs_nothing(
    faulty: FaultyApi, script: str, status: int, error_type: str
) -> None:
    response = await ask(faulty, script)

    assert (response.status_code, response.json()["error"]["code"]) == (status, status)
    metadata = response.json()["error"]["metadata"]
    assert metadata["error_type"] == error_type
    # Why a request was refused is for its sender; nothing else that a provider says is.
    assert metadata.get("raw", "") == REFUSALS.get(script, "")
    assert "secret-detail" not in response.text.replace(REFUSALS["http-413"], "")
    row = await row_of(response)
    assert (row.status, row.cost, row.error_code) == ("failed", Decimal(0), status)


@pytest.mark.parametrize(("script", "status", "error_type"), STREAMED_FAILURES)
async def test_a_stream_that_never_began_fails_with_a_status(
    faulty: FaultyApi, script: str, status: int, error_type: str
) -> None:
    response = await ask(faulty, script, stream=True)

    assert (response.status_code, response.json()["error"]["code"]) == (status, status)
    assert (await row_of(response)).status == "failed"


@pytest.mark.parametrize(
    "script",
    ["reset-mid-stream", "truncate", "truncate-chunked", "error-mid-stream"],
)
async def test_a_stream_that_breaks_ends_in_an_event_and_costs_nothing(
    faulty: FaultyApi, script: str
) -> None:
    response = await ask(faulty, script, stream=True)

    assert response.status_code == 200
    *_, error, end = events_of(response)
    assert (type(error["error"]["code"]), error["choices"][0]["finish_reason"]) == (int, "error")
    assert end == "[DONE]"
    row = await row_of(response)
    assert (row.status, row.cost) == ("failed", Decimal(0))


DIALECTS = [
    "split-1",
    "split-wire",
    "split-utf8",
    "crlf",
    "crlf-split-1",
    "cr",
    "no-space",
    "comments",
    "event-fields",
    "multi-line-data",
    "bom",
    "no-last-newline",
    "one-packet",
    "no-done",
    "after-done",
]


@pytest.mark.parametrize("script", DIALECTS)
async def test_every_dialect_of_events_gives_the_same_text(faulty: FaultyApi, script: str) -> None:
    events = events_of(await ask(faulty, script, stream=True))

    assert text_of(events) in ("".join(WORDS), "".join(FOREIGN))
    assert [event for event in events if event != "[DONE]" and "usage" in event] == events[-2:-1]


@pytest.mark.parametrize(
    ("script", "source", "anomaly"),
    [
        ("ok", "upstream", False),
        ("no-usage", "estimated", False),
        ("usage-null", "estimated", False),
        ("usage-negative", "estimated", True),
        ("usage-strings", "estimated", True),
        ("usage-floats", "estimated", True),
        ("usage-huge", "estimated", True),
        ("usage-thrice", "upstream", False),
        ("usage-early", "upstream", False),
        ("cached-over-prompt", "upstream", True),
    ],
)
async def test_usage_is_the_last_report_or_an_estimate_that_says_so(
    faulty: FaultyApi, script: str, source: str, anomaly: bool
) -> None:
    response = await ask(faulty, script, stream=True)

    row = await row_of(response)
    assert (row.status, row.usage_source, row.usage_anomaly) == ("completed", source, anomaly)
    assert row.completion_tokens > 0
    assert row.cost == sum(Decimal(line["cost"]) for line in row.cost_lines)


@pytest.mark.parametrize("script", ["id-null", "id-constant", "id-huge", "id-nul", "other-model"])
async def test_what_an_upstream_calls_itself_changes_nothing(
    faulty: FaultyApi, script: str
) -> None:
    first = await ask(faulty, script)
    second = await faulty.complete("Hello", model=f"faulty/{script}")

    assert first.json()["model"] == f"faulty/{script}"
    assert first.json()["id"] != second.json()["id"]
    assert await Generation.objects.filter(status="completed").acount() == 2


async def test_nothing_of_a_broken_answer_reaches_the_next_request(faulty: FaultyApi) -> None:
    await faulty.serve("extra-response", "ok")

    await faulty.complete("Hello", model="faulty/extra-response")
    after = await faulty.complete("Hello", model="faulty/ok")

    assert after.status_code == 200
    assert after.json()["model"] == "faulty/ok"


async def test_tool_calls_pass_through(faulty: FaultyApi) -> None:
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {}}}]

    events = events_of(await ask(faulty, "tool-calls", stream=True, tools=tools))

    deltas = [e["choices"][0]["delta"] for e in events if e != "[DONE]" and e["choices"]]
    assert any(delta.get("tool_calls") for delta in deltas)
    assert any(e["choices"][0]["finish_reason"] == "tool_calls" for e in events[:-1])


async def test_every_upstream_call_was_recorded_before_it(faulty: FaultyApi) -> None:
    response = await ask(faulty, "http-503")

    generation_id = response.headers["X-Generation-Id"]
    served = [row["attempt_id"] for row in faulty.upstream.ledger()]
    assert f"{generation_id}:1" in served
