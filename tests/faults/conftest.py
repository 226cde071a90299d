"""The API in this process, in front of the faulty upstream over real sockets."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from autorouter_site.asgi import Application
from routing.process import Process
from routing.upstream import Upstream
from tests.conftest import Api, in_db
from tests.factories import make_offer, make_secret
from tests.faults.processes import FaultyUpstream, start_upstream


@pytest.fixture(scope="session")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyUpstream]:
    with start_upstream(tmp_path_factory.mktemp("upstream")) as running:
        yield running


class FaultyApi(Api):
    """An API whose models are named for what their upstream does."""

    upstream: FaultyUpstream

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
    api.upstream = upstream
    yield api
    await api.client.aclose()
    await process.close()
