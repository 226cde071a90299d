"""A request that leaves the pinned endpoint out does not move the pin."""

from typing import Any

import pytest

from routing.models import Endpoint
from tests.conftest import Api
from tests.routing.stories import offer, row_of
from tests.routing.test_sticky import age_pins, ask, pinned_at, pins


async def endpoint_id(provider: str) -> int:
    return (await Endpoint.objects.aget(provider__slug=provider)).pk


TWO = (
    {"slug": "a/one", "provider": "x"},
    {"slug": "a/one", "provider": "y", "prices": {"prompt": "0.0000001"}},
)


@pytest.mark.parametrize("asked", [{"ignore": ["x"]}, {"only": ["y"]}])
async def test_a_provider_that_one_request_excludes_keeps_its_pin(
    api: Api, asked: dict[str, Any]
) -> None:
    await offer(api, *TWO)
    await ask(api, model="a/one", provider={"only": ["x"]})
    await age_pins(100)
    before, moment = await pins(), await pinned_at()

    row = await row_of(await ask(api, model="a/one", provider=asked))

    assert (row.provider, row.decision["sticky"]["state"]) == ("Y", "followed")
    assert await pins() == before
    assert await pinned_at() > moment
    assert (await row_of(await ask(api, model="a/one"))).provider == "X"


async def test_without_fallbacks_the_pinned_provider_is_the_one_that_is_called(api: Api) -> None:
    await offer(api, *TWO)
    await ask(api, model="a/one", provider={"only": ["x"]})
    before = await pins()

    row = await row_of(await ask(api, model="a/one", provider={"allow_fallbacks": False}))

    assert (row.provider, row.decision["sticky"]["state"]) == ("X", "followed")
    assert await pins() == before


async def test_a_pin_moves_where_its_endpoint_is_gone(api: Api) -> None:
    await offer(api, *TWO)
    await ask(api, model="a/one", provider={"only": ["x"]})
    await Endpoint.objects.filter(provider__slug="x").aupdate(enabled=False)
    await api.refresh()

    row = await row_of(await ask(api, model="a/one"))

    assert [endpoint for _, endpoint in await pins()] == [await endpoint_id("y")]
    assert row.provider == "Y"
