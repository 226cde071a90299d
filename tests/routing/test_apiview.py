import gc
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.sync import SyncToAsync
from django.core.handlers.asgi import ASGIRequest

from activity.models import Rejection
from routing.engine import analysis
from routing.engine.analysis import Analysis, analyse
from routing.engine.conversation import Conversation
from tests.conftest import Api, FakeProvider, chunk, completion_json, usage_chunk
from tests.routing.stories import offer

# The pin of the session; then two transactions: intent and attempt, settlement, attempt and pin.
READS, WRITES = 1, 2
# Rows made, locked and reserved in, within a transaction that begins and ends.
BUDGET_WRITES = 5
STREAM = [chunk("Hi"), chunk("", "stop"), usage_chunk(), "[DONE]"]


def observe(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, seen: list[str]) -> None:
    """Note each call of a method of a library, and let it through."""
    original = getattr(owner, name)

    def noted(self: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(f"{owner.__name__}.{name}")
        return original(self, *args, **kwargs)

    monkeypatch.setattr(owner, name, noted)


@pytest.fixture
def hops(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every start of a thread and every hop into one."""
    seen: list[str] = []
    observe(monkeypatch, threading.Thread, "start", seen)
    observe(monkeypatch, ThreadPoolExecutor, "submit", seen)
    observe(monkeypatch, SyncToAsync, "__call__", seen)
    return seen


@pytest.mark.parametrize(
    ("stream", "reply"), [(False, {"json": completion_json()}), (True, {"events": STREAM})]
)
async def test_a_completion_hops_into_no_thread(
    api: Api, provider: FakeProvider, hops: list[str], stream: bool, reply: dict[str, Any]
) -> None:
    await offer(api, {})
    provider.reply(**reply)
    await api.complete("warm", stream=stream, session_id="talk")
    hops.clear()

    response = await api.complete("Hello", stream=stream, session_id="talk")

    assert response.status_code == 200
    assert hops == []


@pytest.mark.parametrize("stream", [False, True])
async def test_a_warm_completion_reads_one_row_and_writes_a_few(
    api: Api, queries: list[str], stream: bool
) -> None:
    await offer(api, {})
    await api.complete("warm", session_id="talk")
    queries.clear()

    await api.complete("Hello", stream=stream, session_id="talk")

    reads = [query for query in queries if query.lstrip().startswith("SELECT")]
    assert len(reads) == READS
    assert "routing_pin" in reads[0]
    assert len(queries) == READS + WRITES


async def test_the_pin_is_looked_up_while_the_prompt_is_analysed(
    api: Api, queries: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await offer(api, {})
    await api.complete("warm", session_id="talk")
    queries.clear()
    sent_before: list[str] = []

    def analysed(talk: Conversation) -> Analysis:
        sent_before.extend(queries)
        return analyse(talk)

    monkeypatch.setattr(analysis, "analyse", analysed)
    await api.complete("Hello", session_id="talk")

    assert ["routing_pin" in query for query in sent_before] == [True]


async def test_a_budget_adds_a_transaction(api: Api, queries: list[str]) -> None:
    api.key.limit = 1
    await api.key.asave()
    await offer(api, {})
    await api.complete("warm", session_id="talk")
    queries.clear()

    await api.complete("Hello", session_id="talk")

    assert len(queries) <= READS + WRITES + BUDGET_WRITES


async def test_an_order_of_providers_reads_no_pin(api: Api, queries: list[str]) -> None:
    await offer(api, {})
    await api.complete("warm")
    queries.clear()

    await api.complete("Hello", session_id="talk", provider={"order": ["up"]})

    assert [query for query in queries if "routing_pin" in query] == []


async def test_a_refusal_is_counted_and_costs_no_query(api: Api, queries: list[str]) -> None:
    await offer(api, {})
    await api.complete("warm")
    queries.clear()

    await api.complete("Hello", temperature=9)

    assert queries == []
    await api.process.writer._flush()
    assert (await Rejection.objects.aget()).error_type == "invalid_request"


@pytest.mark.parametrize("fields", [{}, {"stream": True}, {"temperature": 9}])
async def test_a_request_leaves_nothing_for_the_garbage_collector(
    api: Api, fields: dict[str, Any]
) -> None:
    await offer(api, {})
    await api.complete("warm", **fields)
    gc.collect()
    gc.disable()

    await api.complete("Hello", **fields)

    left = [one for one in gc.get_objects() if isinstance(one, ASGIRequest)]
    gc.enable()
    assert left == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_another_method_is_told_which_one_to_use(api: Api, method: str) -> None:
    response = await api.client.request(method, "/api/v1/chat/completions")

    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"
    assert response.json()["error"]["metadata"]["error_type"] == "invalid_request"


async def test_no_body_is_read_before_the_key_is_known(api: Api) -> None:
    async def endless() -> Any:
        raise AssertionError("the body was read")
        yield b""

    response = await api.client.post(
        "/api/v1/chat/completions",
        content=endless(),
        headers={"Authorization": "Bearer nobody", "Content-Length": "9999"},
    )

    assert response.status_code == 401


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"],
)
async def test_only_json_is_read(api: Api, content_type: str) -> None:
    response = await api.client.post(
        "/api/v1/chat/completions",
        content=b"{}",
        headers={"Authorization": f"Bearer {api.secret}", "Content-Type": content_type},
    )

    assert response.status_code == 400
    assert "Content-Type must be application/json" in response.json()["error"]["message"]


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate"])
async def test_a_compressed_body_is_refused(api: Api, encoding: str) -> None:
    response = await api.client.post(
        "/v1/chat/completions",
        content=b"{}",
        headers={
            "Authorization": f"Bearer {api.secret}",
            "Content-Type": "application/json",
            "Content-Encoding": encoding,
        },
    )

    assert response.status_code == 400


async def test_a_body_over_the_cap_is_too_large(api: Api, settings: Any) -> None:
    settings.AUTOROUTER_MAX_BODY_BYTES = 1000

    response = await api.complete("x" * 1000)

    assert response.status_code == 413
    assert response.json()["error"]["metadata"]["error_type"] == "payload_too_large"


async def test_a_body_that_outgrows_the_cap_is_read_no_further(api: Api, settings: Any) -> None:
    settings.AUTOROUTER_MAX_BODY_BYTES = 1000
    pieces = iter([b" " * 600] * 100)

    async def endless() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    response = await api.client.post(
        "/api/v1/chat/completions",
        content=endless(),
        headers={"Authorization": f"Bearer {api.secret}", "Content-Type": "application/json"},
    )

    assert response.status_code == 413
    assert len(list(pieces)) > 90
