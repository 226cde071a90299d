import asyncio
from typing import Any

import pytest

from activity import candidates
from routing.health import LEAST_RETRIES, Health
from routing.models import Endpoint, Pin, Provider
from tests.conftest import Api, FakeProvider, completion_json, in_db
from tests.factories import make_secret
from tests.routing.stories import message_of, offer, row_of
from tests.routing.values import HELLO, Clock


@pytest.fixture
def clock(api: Api) -> Clock:
    """The clock by which the API's process measures cool-downs."""
    clock = Clock()
    api.process.health = Health(clock)
    return clock


async def two_endpoints(api: Api) -> None:
    """The model a/one at x, which is cheaper, and at y."""
    dear = {"prompt": "0.00001", "completion": "0.00002"}
    await offer(
        api,
        {"slug": "a/one", "provider": "x"},
        {"slug": "a/one", "provider": "y", "prices": dear},
    )


async def provider_of(api: Api, **fields: Any) -> tuple[str, int]:
    row = await row_of(await api.complete("Hello", model="a/one", **fields))
    return row.provider, row.attempts


async def test_a_failing_endpoint_costs_one_fallback(
    api: Api, provider: FakeProvider, clock: Clock
) -> None:
    await two_endpoints(api)
    provider.reply("x", status=503)

    served = [await provider_of(api), await provider_of(api)]

    assert served == [("Y", 2), ("Y", 1)]


async def test_the_receipt_says_what_was_skipped_and_why(
    api: Api, provider: FakeProvider, clock: Clock
) -> None:
    await two_endpoints(api)
    provider.reply("x", status=503)
    await provider_of(api)

    headers = {"X-OpenRouter-Metadata": "enabled"}
    response = await api.post({"model": "a/one", "messages": HELLO}, **headers)

    row = await row_of(response)
    [skipped] = row.decision["skipped"]
    assert response.json()["openrouter_metadata"]["endpoints"]["skipped"] == [skipped]
    assert skipped.items() >= {"model": "a/one", "provider": "X", "after": "HTTP 503"}.items()
    assert row.decision["last_resort"] is False


async def test_an_endpoint_is_back_once_a_probe_passed(
    api: Api, provider: FakeProvider, clock: Clock
) -> None:
    await two_endpoints(api)
    provider.reply("x", status=503)
    provider.reply("x", json=completion_json())
    await provider_of(api)

    clock.now += 31

    assert [await provider_of(api), await provider_of(api)] == [("X", 1), ("X", 1)]


async def test_a_request_that_is_refused_ends_its_turn_as_a_probe(
    api: Api, provider: FakeProvider, clock: Clock
) -> None:
    await two_endpoints(api)
    _, poor = await in_db(make_secret)(limit=0)
    provider.reply("x", status=503)
    await provider_of(api)
    clock.now += 31
    body = {"model": "a/one", "messages": [{"role": "user", "content": "Hello"}]}

    refused = await api.post(body, secret=poor)

    assert refused.status_code == 403
    assert (await provider_of(api)) == ("Y", 2)


async def test_a_request_that_is_not_taken_leaves_its_turn_to_the_next(
    api: Api, provider: FakeProvider, clock: Clock
) -> None:
    await two_endpoints(api)
    provider.reply("x", status=503)
    await provider_of(api)
    clock.now += 31

    api.process.draining = True
    refused = await api.complete("Hello", model="a/one")
    api.process.draining = False

    assert refused.status_code == 503
    assert (await provider_of(api)) == ("Y", 2)


async def test_all_asking_to_wait_is_a_429_with_the_shortest_wait(
    api: Api, provider: FakeProvider, clock: Clock
) -> None:
    await two_endpoints(api)
    provider.reply("x", status=429, headers={"Retry-After": "7"})
    provider.reply("y", status=429, headers={"Retry-After": "9"})

    response = await api.complete("Hello", model="a/one")

    assert (response.status_code, response.headers["Retry-After"]) == (429, "7")
    assert "try again in 7 s" in message_of(response)


async def test_endpoints_that_asked_to_wait_are_tried_one_at_most(
    api: Api, provider: FakeProvider, clock: Clock
) -> None:
    await two_endpoints(api)
    provider.reply("x", status=429, headers={"Retry-After": "9"})
    provider.reply("y", status=429, headers={"Retry-After": "7"})
    await api.complete("Hello", model="a/one")
    provider.requests.clear()

    response = await api.complete("Hello", model="a/one")

    assert (response.status_code, response.headers["Retry-After"]) == (429, "7")
    assert [request.url.host for request in provider.requests] == ["y.example.com"]
    assert (await row_of(response)).decision["last_resort"] is True


async def test_a_single_endpoint_is_never_refused_for_its_health(
    api: Api, provider: FakeProvider, clock: Clock
) -> None:
    await offer(api, {"slug": "a/one", "provider": "x"})
    provider.reply("x", status=503)
    provider.reply("x", json=completion_json())
    await api.complete("Hello", model="a/one")

    assert (await api.complete("Hello", model="a/one")).status_code == 200


async def test_a_new_credential_ends_the_wait(
    api: Api, provider: FakeProvider, clock: Clock
) -> None:
    await two_endpoints(api)
    provider.reply("x", status=401)
    provider.reply("x", json=completion_json())
    before = [await provider_of(api), await provider_of(api)]

    await Provider.objects.filter(slug="x").aupdate(base_url="https://x.example.com/v2")
    await api.refresh()

    assert before == [("Y", 2), ("Y", 1)]
    assert await provider_of(api) == ("X", 1)


async def test_a_pinned_endpoint_that_fails_is_replaced_by_its_models_other_one(
    api: Api, provider: FakeProvider, clock: Clock
) -> None:
    free = {"prompt": "0", "completion": "0"}
    await two_endpoints(api)
    await api.complete("Hello", session_id="talk")
    await offer(api, {"slug": "b/two", "provider": "z", "prices": free})
    provider.reply("x", status=503)
    await provider_of(api)

    row = await row_of(await api.complete("Hello", session_id="talk"))
    pin = await Pin.objects.aget()

    assert (row.model, row.provider, row.attempts) == ("a/one", "Y", 1)
    assert row.decision["sticky"]["state"] == "followed"
    assert pin.endpoint_id == (await Endpoint.objects.aget(provider__slug="y")).id


async def test_a_pin_moves_to_another_model_where_none_of_its_own_lives(
    api: Api, provider: FakeProvider, clock: Clock
) -> None:
    await offer(api, {"slug": "a/one", "provider": "x"})
    await api.complete("Hello", session_id="talk")
    await offer(api, {"slug": "b/two", "provider": "z"})
    provider.reply("x", status=503)
    await provider_of(api)

    row = await row_of(await api.complete("Hello", session_id="talk"))

    assert (row.model, row.attempts) == ("b/two", 1)
    assert row.decision["sticky"] == {"kind": "session_id", "state": "cooling", "model": "a/one"}
    reasons = {one["model"]: one["reason"] for one in candidates.read(row.decision)}
    assert (reasons["a/one"], reasons["b/two"]) == ("cooling", "chosen")
    assert (await Pin.objects.aget()).model == "b/two"


async def test_a_storm_of_failures_does_not_multiply_the_load(
    api: Api, provider: FakeProvider, clock: Clock
) -> None:
    await two_endpoints(api)
    provider.reply("x", status=500)
    provider.reply("y", status=500)

    answers = await asyncio.gather(*(api.complete("Hello", model="a/one") for _ in range(60)))

    assert {answer.status_code for answer in answers} == {502}
    assert 60 + LEAST_RETRIES < len(provider.requests) <= 1.2 * 60 + LEAST_RETRIES
