"""Fixtures of what is tested over sockets: a server of raw bytes and our transport."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from routing.transport import Transport
from tests.routing.rawserver import Server


@pytest.fixture
async def server(settings: Any) -> AsyncIterator[Server]:
    server = Server()
    async with await server.start():
        settings.AUTOROUTER_PRIVATE_UPSTREAMS = [f"127.0.0.1:{server.port}"]
        yield server
        await server.stop()


@pytest.fixture
async def sender() -> AsyncIterator[Transport]:
    sender = Transport()
    yield sender
    await sender.aclose()
