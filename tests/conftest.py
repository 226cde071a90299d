"""Fixtures that several apps share: a database with real commits, the API, a faked provider."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any

import httpx
import orjson
import pytest
import uvloop
from asgiref.sync import sync_to_async
from django.db import connections

from autorouter_site.asgi import Application
from routing.catalog import read_catalogue
from routing.process import Process
from routing.upstream import Upstream
from tests.factories import make_secret

in_db = sync_to_async


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], Any]]:
    """What reads sockets by itself is tested on the event loop of production as well."""
    loops: dict[str, Callable[[], Any]] = {"asyncio": asyncio.new_event_loop}
    if item.get_closest_marker("both_loops"):
        loops["uvloop"] = uvloop.new_event_loop
    return loops


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    """Hashes that take no time; how passwords are hashed is not what our tests are about."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _plain_static(settings: Any) -> None:
    """Pages link their static files by plain names: nothing is collected."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


@pytest.fixture
async def async_db(transactional_db: None) -> AsyncIterator[None]:
    """Real commits: async code reads through connections of its own."""
    yield
    await in_db(connections.close_all)()


class FakeProvider:
    """Answers what a test tells it to, by provider slug, and remembers what it was asked."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self._replies: dict[str, list[Callable[[], httpx.Response]]] = {}

    def reply(self, slug: str = "up", **response: Any) -> None:
        """Queue a reply; the last one is repeated. Takes status, json, events, headers."""
        status = response.pop("status", 200)
        if "events" in response:
            response["content"] = sse(response.pop("events"))
            response["headers"] = {"content-type": "text/event-stream"}
        self._replies.setdefault(slug, []).append(lambda: unread(status, **response))

    def stream(self, pieces: Sequence[bytes], slug: str = "up") -> None:
        """Queue a stream that arrives in these pieces."""
        headers = {"content-type": "text/event-stream"}
        body = Pieces(pieces)
        reply = partial(httpx.Response, 200, headers=headers, stream=body)
        self._replies.setdefault(slug, []).append(reply)

    def fail(self, slug: str, error: Exception) -> None:
        def raise_error() -> httpx.Response:
            raise error

        self._replies.setdefault(slug, []).append(raise_error)

    def asked(self) -> list[dict[str, Any]]:
        """The bodies it was sent."""
        return [orjson.loads(request.content) for request in self.requests]

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        replies = self._replies.get(request.url.host.split(".")[0], [])
        if not replies:
            return unread(200, json=completion_json())
        return (replies.pop(0) if len(replies) > 1 else replies[0])()


class Pieces(httpx.AsyncByteStream):
    """A body as the network delivers it."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


def unread(status: int, **response: Any) -> httpx.Response:
    """A response whose body is still on its way, as that of a real connection."""
    whole = httpx.Response(status, **response)
    return httpx.Response(status, headers=whole.headers, stream=httpx.ByteStream(whole.content))


def completion_json(**fields: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": fields.pop("content", "Hello there")}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    return {"id": "up-1", "model": "one", "choices": [choice], "usage": usage} | fields


def chunk(content: str = "", finish_reason: str | None = None, **fields: Any) -> dict[str, Any]:
    delta = {"content": content} if content else {}
    return {
        "id": "up-1",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    } | fields


def usage_chunk(
    prompt_tokens: int = 10, completion_tokens: int = 5, **fields: Any
) -> dict[str, Any]:
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
    return {"id": "up-1", "choices": [], "usage": usage | fields}


def sse(events: list[dict[str, Any] | str]) -> bytes:
    lines = [event if isinstance(event, str) else orjson.dumps(event).decode() for event in events]
    return "".join(f"data: {line}\n\n" for line in lines).encode()


class Api:
    """A client of the API with a key of its own."""

    def __init__(self, application: Application, key: Any, secret: str) -> None:
        self.application, self.key, self.secret = application, key, secret
        self.process = application.process
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(application), base_url="http://localhost"
        )

    async def complete(self, text: str = "Hello", **fields: Any) -> httpx.Response:
        body = {"model": "openrouter/auto", "messages": [{"role": "user", "content": text}]}
        return await self.post(body | fields)

    async def post(self, body: Any, secret: str | None = None, **headers: str) -> httpx.Response:
        sent = {"Authorization": f"Bearer {secret or self.secret}"} | headers
        return await self.client.post("/api/v1/chat/completions", json=body, headers=sent)

    async def refresh(self) -> None:
        """See the catalogue and the keys as they are now, as a NOTIFY would bring about."""
        self.process.snapshot.drop()
        self.process.snapshot.catalogue = await in_db(read_catalogue)()


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
async def api(async_db: None, provider: FakeProvider, tmp_path: Any) -> AsyncIterator[Api]:
    application = Application()
    transport = httpx.MockTransport(provider.handle)
    process = application.process = Process(tmp_path / "journal", Upstream(transport))
    key, secret = await in_db(make_secret)()
    await process.start()
    client = Api(application, key, secret)
    yield client
    await client.client.aclose()
    await process.close()


def events_of(response: httpx.Response) -> list[Any]:
    """The data of a streamed answer; the end mark as "[DONE]"."""
    lines = [line[6:] for line in response.text.split("\n") if line.startswith("data: ")]
    return [line if line == "[DONE]" else orjson.loads(line) for line in lines]
