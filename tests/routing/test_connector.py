"""Connecting, by name and over TLS, on both event loops."""

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from routing import connector
from routing.transport import Transport
from tests.routing.certificates import make_certificate
from tests.routing.rawserver import (
    CHUNKED,
    MEGABYTE,
    OK,
    Server,
    answering,
    hanging_after,
    leave,
    read,
    until,
    whole,
)

pytestmark = pytest.mark.both_loops


async def test_what_refuses_connections_cannot_be_reached(
    sender: Transport, server: Server, settings: Any
) -> None:
    server.port = 1
    settings.AUTOROUTER_PRIVATE_UPSTREAMS = ["127.0.0.1:1"]

    with pytest.raises(httpx.ConnectError):
        await whole(sender, server)

    assert not sender._open


async def test_a_name_nobody_knows_cannot_be_reached(
    sender: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror("unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    with pytest.raises(httpx.ConnectError):
        await sender.handle_async_request(httpx.Request("POST", "https://up.example.com/v1"))


@pytest.mark.parametrize("first", ["127.0.0.9", "::1"])
async def test_the_next_address_is_tried(
    sender: Transport, server: Server, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    resolve = socket.getaddrinfo
    port = server.port
    answer = [*resolve(first, port, type=socket.SOCK_STREAM)]
    answer += resolve("127.0.0.1", port, type=socket.SOCK_STREAM)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)

    assert await whole(sender, server) == b"{}"


async def test_a_name_is_looked_up_once_for_many(
    sender: Transport, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookups: list[Any] = []
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *args, **kw: lookups.append(args) or resolve(*args, **kw)
    )

    await asyncio.gather(*(whole(sender, server) for _ in range(20)))

    assert len(lookups) == 1


# TLS.


@pytest.fixture
async def tls_server(
    settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Server]:
    certificate = make_certificate(tmp_path, "up.example.com")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server = Server()
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda _, *args, **kw: resolve("127.0.0.1", *args, **kw)
    )
    async with await server.start(context):
        names = ("up.example.com", "other.example.com")
        settings.AUTOROUTER_PRIVATE_UPSTREAMS = [f"{name}:{server.port}" for name in names]
        yield server
        await server.stop()
    await asyncio.sleep(0.05)


async def over_tls(sender: Transport, server: Server, host: str = "up.example.com") -> bytes:
    url = f"https://{host}:{server.port}/v1"
    request = httpx.Request("POST", url, stream=httpx.ByteStream(b"{}"))
    async with asyncio.timeout(5):
        return await read(await sender.handle_async_request(request))


async def test_tls_connections_are_used_again(sender: Transport, tls_server: Server) -> None:
    large = b"x" * 2 * MEGABYTE
    tls_server.script = answering(OK + b"Content-Length: %d\r\n\r\n" % len(large), large)

    assert {await over_tls(sender, tls_server) for _ in range(3)} == {large}
    assert tls_server.accepted == 1


async def test_a_certificate_of_another_name_is_refused(
    sender: Transport, tls_server: Server
) -> None:
    with pytest.raises(httpx.ConnectError):
        await over_tls(sender, tls_server, "other.example.com")

    assert tls_server.asked == 0


async def test_a_certificate_nobody_vouches_for_is_refused(
    sender: Transport, tls_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")

    with pytest.raises(httpx.ConnectError):
        await over_tls(sender, tls_server)

    assert tls_server.asked == 0


async def test_who_leaves_a_tls_answer_closes_it(sender: Transport, tls_server: Server) -> None:
    tls_server.script = hanging_after(CHUNKED + b"2\r\n{}\r\n")
    task = asyncio.create_task(over_tls(sender, tls_server))
    await until(lambda: tls_server.asked)

    await leave(task)

    assert await tls_server.all_closed()


async def test_a_handshake_without_an_answer_ends_in_time(
    sender: Transport, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector, "CONNECT_SECONDS", 1.0)

    with pytest.raises(httpx.ConnectTimeout):
        await over_tls(sender, server, "127.0.0.1")

    assert server.accepted == 1
    assert await server.all_closed()
    assert not sender._open


async def test_who_is_cancelled_in_the_handshake_leaves_no_connection(
    sender: Transport, server: Server
) -> None:
    task = asyncio.create_task(over_tls(sender, server, "127.0.0.1"))
    await until(lambda: server.accepted)
    await asyncio.sleep(0.05)

    await leave(task)

    assert await server.all_closed()
    assert not sender._open


async def test_who_is_cancelled_in_the_lookup_leaves_nothing(
    sender: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking, over = threading.Event(), threading.Event()

    def slow(*_: Any, **__: Any) -> Any:
        looking.set()
        over.wait(5)
        raise socket.gaierror("unknown")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    request = httpx.Request("POST", "https://up.example.com/v1")
    task = asyncio.create_task(sender.handle_async_request(request))
    await until(looking.is_set)

    await leave(task)
    over.set()

    assert not sender._open
