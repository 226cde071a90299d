"""Addresses: what a provider's name may resolve to, and what behind one is paid for."""

import asyncio
import socket
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from activity.models import Generation, Spend
from routing import estimate
from routing.connector import Resolver
from routing.failures import AttemptFailed
from routing.upstream import Deadline, Upstream
from tests.conftest import Api, FakeProvider, completion_json, in_db
from tests.factories import make_secret
from tests.routing.stories import offer, row_of
from tests.routing.values import make_completion, make_offer

NAME = "internal.example.com"
PDF = "data:application/pdf;base64,AAAA"
PICTURE = f"data:image/png;base64,{'A' * 40_000}"
CLIP = "https://videos.example.com/clip.mp4"


class Listener:
    """A real server on this machine, which answers every request and counts connections."""

    def __init__(self) -> None:
        self.connections = 0
        self.port = 0

    async def start(self) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    listener = Listener()
    async with await listener.start():
        yield listener


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    upstream = Upstream()
    yield upstream
    await upstream.close()


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What names resolve to; a name server is no more ours than a provider is."""
    addresses = {NAME: "127.0.0.1"}
    resolve = socket.getaddrinfo

    def answer(host: Any, *args: Any, **kwargs: Any) -> Any:
        return resolve(addresses.get(host, host), *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return addresses


async def call(upstream: Upstream, base_url: str) -> dict[str, Any]:
    offer = make_offer(base_url=base_url)
    deadline = Deadline(5, 5)
    async with deadline, upstream.call(offer, b"{}", "gen-1:1", deadline) as answer:
        return await answer.json()


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_name_of_a_private_address_is_never_connected_to(
    upstream: Upstream, listener: Listener, scheme: str
) -> None:
    with pytest.raises(AttemptFailed) as failure:
        await call(upstream, f"{scheme}://{NAME}:{listener.port}/v1")

    assert (failure.value.status, failure.value.retryable) == (502, True)
    assert not failure.value.billed
    assert listener.connections == 0


PRIVATE = ["127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"]
PRIVATE += ["::1", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]


@pytest.mark.parametrize("address", PRIVATE)
async def test_no_kind_of_private_address_is_a_place_to_connect_to(
    names: dict[str, str], address: str
) -> None:
    names[NAME] = address

    with pytest.raises(OSError, match="has no public address"):
        await Resolver().public(NAME, 443)


async def test_a_public_address_is_a_place_to_connect_to(names: dict[str, str]) -> None:
    names[NAME] = "93.184.216.34"

    found = await Resolver().public(NAME, 443)

    assert [at for _, at in found] == [("93.184.216.34", 443)]


async def test_a_listed_name_may_be_private(
    upstream: Upstream, listener: Listener, settings: Any
) -> None:
    settings.AUTOROUTER_PRIVATE_UPSTREAMS = [f"{NAME}:{listener.port}"]

    answer = await call(upstream, f"http://{NAME}:{listener.port}/v1")

    assert (answer, listener.connections) == ({}, 1)


async def test_a_name_is_listed_for_its_port_alone(
    upstream: Upstream, listener: Listener, settings: Any
) -> None:
    settings.AUTOROUTER_PRIVATE_UPSTREAMS = [f"{NAME}:1"]

    with pytest.raises(AttemptFailed):
        await call(upstream, f"http://{NAME}:{listener.port}/v1")

    assert listener.connections == 0


def content(**part: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": next(iter(part))} | part]}]


def bound_of(**part: Any) -> int:
    return estimate.prompt_bound(make_completion(messages=content(**part)))


def test_a_picture_counts_by_what_it_is_scaled_down_to() -> None:
    bound = bound_of(image_url={"url": PICTURE})

    assert estimate.TOKENS_PER_IMAGE < bound < 2 * estimate.TOKENS_PER_IMAGE


def test_what_stands_beside_a_picture_counts_by_its_bytes() -> None:
    assert bound_of(image_url={"url": PICTURE, "note": "x" * 50_000}) > 50_000


def test_what_is_attached_counts_by_its_bytes() -> None:
    assert bound_of(file={"file_data": PICTURE}) > len(PICTURE)


@pytest.mark.parametrize(
    "part",
    [
        {"video_url": {"url": CLIP}},
        {"input_video": {"url": CLIP}},
        {"file": {"file_data": "https://files.example.com/book.pdf"}},
        {"video_url": {"url": CLIP.replace("https", "HTTPS")}},
        {"file": {"file_data": "HTTP://files.example.com/book.pdf"}},
        {"file": {"url": PDF, "file_data": "https://files.example.com/book.pdf"}},
    ],
)
def test_of_an_address_nobody_knows_the_size(part: dict[str, Any]) -> None:
    assert bound_of(**part) > estimate.TOKENS_PER_ADDRESS


async def limited(api: Api, limit: str) -> tuple[str, str]:
    """Who owns a key with a limit, as the books name it, and its secret."""
    key, secret = await in_db(make_secret)(limit=Decimal(limit))
    return f"key:{key.pk}", secret


def ask(*earlier: dict[str, Any], **fields: Any) -> dict[str, Any]:
    messages = [*earlier, {"role": "user", "content": "Go on"}]
    return {"model": "openrouter/auto", "max_tokens": 10, "messages": messages} | fields


def thought(size: int) -> tuple[dict[str, Any], ...]:
    """A turn whose tokens are in a field that we only pass on."""
    said = {"role": "assistant", "content": "Hm", "reasoning": "x" * size}
    return {"role": "user", "content": "Hello"}, said


async def test_every_byte_that_is_passed_on_is_reserved(api: Api, provider: FakeProvider) -> None:
    _, secret = await limited(api, "10")
    await offer(api, {"slug": "a/one", "model": {"context_length": 1_000_000}})
    usage = {"prompt_tokens": 100_000, "completion_tokens": 5}
    provider.reply(json=completion_json(usage=usage))

    response = await api.post(ask(*thought(400_000)), secret)

    row = await row_of(response)
    assert 0 < row.cost <= row.reserved


async def test_a_long_thought_over_the_limit_is_refused(api: Api, provider: FakeProvider) -> None:
    owner, secret = await limited(api, "0.01")
    await offer(api, {"slug": "a/one", "model": {"context_length": 1_000_000}})

    response = await api.post(ask(*thought(400_000)), secret)

    assert response.status_code == 403
    assert provider.requests == []
    assert not await Generation.objects.filter(key_id=owner.split(":")[1]).aexists()


SEARCHED = completion_json(
    usage={
        "prompt_tokens": 5,
        "completion_tokens": 5,
        "server_tool_use": {"web_search_requests": 50},
    }
)


async def searches_of(api: Api, provider: FakeProvider, *parameters: str) -> tuple[int, Generation]:
    owner, secret = await limited(api, "1")
    supported = {"supported_parameters": ["max_tokens", *parameters]}
    await offer(api, {"slug": "a/one", "prices": {"web_search": "0.018"}, **supported})
    provider.reply(json=SEARCHED)
    row = await row_of(await api.post(ask(), secret))
    assert (await Spend.objects.aget(owner=owner, period="total")).spent == row.cost
    quantities = [line["quantity"] for line in row.cost_lines if line["class"] == "web_search"]
    return sum(quantities), row


async def test_searches_that_cannot_be_asked_for_are_not_charged(
    api: Api, provider: FakeProvider
) -> None:
    searches, row = await searches_of(api, provider)

    assert searches == 0
    assert 0 < row.cost <= row.reserved


async def test_searches_are_charged_within_what_was_reserved(
    api: Api, provider: FakeProvider
) -> None:
    searches, row = await searches_of(api, provider, "web_search_options")

    assert searches == 10
    assert row.cost <= row.reserved
