"""The API in this process in front of the faulty upstream, or all of it as real processes.

After every test on either, the books must agree: see books.py.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from autorouter_site.asgi import Application
from routing.process import Process
from routing.upstream import Upstream
from tests.conftest import Api, in_db
from tests.factories import make_offer, make_secret
from tests.faults import books
from tests.faults.gateway import database_of_tests
from tests.faults.processes import FaultyUpstream, start_upstream
from tests.faults.stack import Stack, open_folder


@pytest.fixture(scope="session")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyUpstream]:
    with start_upstream(tmp_path_factory.mktemp("upstream")) as running:
        yield running


class FaultyApi(Api):
    """An API whose models are named for what their upstream does."""

    upstream: FaultyUpstream
    # What the upstream had served before this test.
    served_before: int
    generation_ids: list[str]

    async def note(self, response: httpx.Response) -> None:
        if "X-Generation-Id" in response.headers:
            self.generation_ids.append(response.headers["X-Generation-Id"])

    def check_books(self) -> None:
        served = self.upstream.settled_ledger()[self.served_before :]
        books.check(database_of_tests(), served, self.generation_ids, unseen=None)

    async def serve(self, *scripts: str, provider: str = "faulty", **fields: Any) -> None:
        """Offer the model faulty/<script> for each script."""
        at = {"base_url": self.upstream.base_url, **fields.pop("at", {})}
        for script in scripts:
            slug = f"faulty/{script}"
            await in_db(make_offer)(slug, provider, upstream_model=slug, at=at, **fields)
        await self.refresh()


@pytest.fixture
async def faulty(
    async_db: None, upstream: FaultyUpstream, settings: Any, tmp_path: Any
) -> AsyncIterator[FaultyApi]:
    settings.AUTOROUTER_PRIVATE_UPSTREAMS = [f"127.0.0.1:{upstream.port}"]
    application = Application()
    process = application.process = Process(tmp_path / "journal", Upstream())
    key, secret = await in_db(make_secret)()
    await process.start()
    api = FaultyApi(application, key, secret)
    api.upstream, api.generation_ids = upstream, []
    api.served_before = len(upstream.ledger())
    api.client.event_hooks["response"].append(api.note)
    yield api
    await api.client.aclose()
    await process.close()
    await in_db(api.check_books)()


@pytest.fixture(scope="session")
def running_stack() -> Iterator[Stack]:
    with open_folder() as folder:
        stack = Stack(folder)
        yield stack
        stack.close()


@pytest.fixture
def stack(running_stack: Stack) -> Iterator[Stack]:
    """Everything as real processes, whole again after the test, with books that agree."""
    yield running_stack
    running_stack.heal()
    print(running_stack.check_books())
