"""A server of raw bytes, our transport, and an eye on what is sent to the database."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from activity.database import Database, Query
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


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement sent on the path of a completion."""
    seen: list[str] = []
    run = Database.run

    async def noted(self: Database, *given: Query) -> Any:
        seen.extend(text for text, _ in given)
        return await run(self, *given)

    monkeypatch.setattr(Database, "run", noted)
    return seen
