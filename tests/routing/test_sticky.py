from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.db.models import F

from routing.health import Health
from routing.models import Pin
from routing.sticky import pin_key
from tests.conftest import Api, FakeProvider, completion_json, in_db
from tests.factories import make_secret
from tests.routing.stories import (
    FLASH,
    HAIKU,
    OPUS,
    SMALL,
    auto,
    model_of,
    offer,
    offer_pool,
    row_of,
    save_settings,
)
from tests.routing.values import make_account, make_completion

TURNS = [
    "Hello",
    "Prove rigorously that every finite integral domain is a field, and generalise it.",
    "Thanks",
    "Find the race condition in this lock-free queue and prove that your fix is linearizable.",
    "Translate 'good morning' into French",
    "Derive the Euler-Lagrange equations with constraints and solve the brachistochrone.",
]
CACHED = {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {}}
CHEAP_CACHE = {"prompt": "0.000001", "completion": "0.000002", "cache_read": "0.0000001"}
EVEN_CACHE = CHEAP_CACHE | {"cache_read": "0.000001"}
TITLE = "Write a concise title for this conversation, three to five words."
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {}}}


def with_cache(**details: int) -> dict[str, Any]:
    return completion_json(usage=CACHED | {"prompt_tokens_details": details})


async def ask(api: Api, text: str = "Hello", **fields: Any) -> httpx.Response:
    return await api.complete(text, **{"session_id": "talk", **fields})


async def pins() -> list[tuple[str, int]]:
    return [(pin.model, pin.endpoint_id) async for pin in Pin.objects.all()]


async def age_pins(seconds: int) -> None:
    await Pin.objects.aupdate(last_success=F("last_success") - timedelta(seconds=seconds))


async def pinned_at() -> Any:
    return (await Pin.objects.aget()).last_success


async def test_prompts_alone_are_routed_differently(api: Api) -> None:
    await offer_pool(api)

    models = {model_of(await api.complete(text)) for text in TURNS}

    assert len(models) > 1


@pytest.mark.parametrize("order", [TURNS, TURNS[::-1]], ids=["easy first", "hard first"])
async def test_a_session_keeps_model_and_provider_over_six_turns(
    api: Api, order: list[str]
) -> None:
    await offer_pool(api)

    rows = [await row_of(await ask(api, text)) for text in order]

    assert len({(row.model, row.provider) for row in rows}) == 1
    states = [row.decision["sticky"]["state"] for row in rows]
    assert states == ["none"] + ["followed"] * 5


async def test_a_session_keeps_the_endpoint_where_another_got_cheaper(api: Api) -> None:
    await offer(api, {"slug": "a/one", "provider": "old"})
    await ask(api, model="a/one")
    free = {"prompt": "0", "completion": "0"}
    await offer(api, {"slug": "a/one", "provider": "new", "prices": free})

    row = await row_of(await ask(api, model="a/one"))

    assert row.provider == "Old"


@pytest.mark.parametrize("name", ["x-session-id", "x-session-affinity"])
async def test_a_header_names_the_session(api: Api, name: str) -> None:
    await offer_pool(api)
    body = {"model": "openrouter/auto", "messages": [{"role": "user", "content": TURNS[1]}]}

    first = await api.post(body, **{name: "talk"})
    second = await api.post(
        body | {"messages": [{"role": "user", "content": "Hello"}]}, **{name: "talk"}
    )

    assert model_of(first) == model_of(second)
    assert (await row_of(second)).decision["sticky"]["kind"] == name


async def test_the_body_beats_the_header(api: Api) -> None:
    await offer(api, {})
    messages = [{"role": "user", "content": "Hello"}]
    body = {"model": "openrouter/auto", "messages": messages, "session_id": "talk"}
    await api.post(body)

    row = await row_of(await api.post(body, **{"x-session-id": "another"}))

    assert row.decision["sticky"]["state"] == "followed"


async def test_an_error_neither_refreshes_nor_rewrites_the_pin(
    api: Api, provider: FakeProvider
) -> None:
    await offer(api, {"slug": "a/one"})
    await ask(api)
    await age_pins(100)
    before, moment = await pins(), await pinned_at()
    provider.reply(status=500)

    response = await ask(api)

    assert response.status_code == 502
    assert (await pins(), await pinned_at()) == (before, moment)


async def test_an_error_of_a_first_turn_sets_no_pin(api: Api, provider: FakeProvider) -> None:
    await offer(api, {})
    provider.reply(status=500)

    await ask(api)

    assert await pins() == []


async def test_every_success_restarts_the_timer(api: Api) -> None:
    await offer(api, {})
    await ask(api)
    await age_pins(299)
    moment = await pinned_at()

    row = await row_of(await ask(api))

    assert row.decision["sticky"]["state"] == "followed"
    assert await pinned_at() - moment > timedelta(seconds=250)


async def test_a_pin_dies_after_its_time(api: Api) -> None:
    await offer_pool(api)
    await ask(api, TURNS[1], plugins=auto(cost_quality_tradeoff=0))
    await age_pins(301)

    row = await row_of(await ask(api, "Hello", plugins=auto(cost_quality_tradeoff=10)))

    assert (row.model, row.decision["sticky"]["state"]) == (SMALL, "none")
    assert [model for model, _ in await pins()] == [SMALL]


async def test_two_tenants_never_share_a_session(api: Api) -> None:
    await offer_pool(api)
    _, other = await in_db(make_secret)()
    body = {"model": "openrouter/auto", "messages": [{"role": "user", "content": "Hello"}]}
    body |= {"session_id": "talk"}
    await api.post(body | {"plugins": auto(cost_quality_tradeoff=0, allowed_models=[OPUS])})

    row = await row_of(await api.post(body, secret=other))

    assert row.decision["sticky"] == {"kind": "session_id", "state": "none", "model": None}
    assert len(await pins()) == 2


async def test_two_keys_of_one_user_share_a_session(api: Api) -> None:
    await offer(api, {})
    owner = await in_db(lambda: api.key.user)()
    _, second_key = await in_db(make_secret)(owner)
    body = {"model": "openrouter/auto", "messages": [{"role": "user", "content": "Hello"}]}
    await api.post(body | {"session_id": "talk"})

    row = await row_of(await api.post(body | {"session_id": "talk"}, secret=second_key))

    assert row.decision["sticky"]["state"] == "followed"


async def test_an_order_of_providers_ignores_the_pin_and_leaves_it(api: Api) -> None:
    await offer(
        api,
        {"slug": "a/one", "provider": "x"},
        {"slug": "a/one", "provider": "y", "prices": {"prompt": "0.5"}},
    )
    await ask(api, model="a/one")
    before = await pins()

    row = await row_of(await ask(api, model="a/one", provider={"order": ["y"]}))

    assert (row.provider, row.decision["sticky"]["state"]) == ("Y", "off")
    assert await pins() == before


@pytest.mark.parametrize(
    ("details", "prices", "is_pinned"),
    [
        ({}, CHEAP_CACHE, False),
        ({"cached_tokens": 4}, CHEAP_CACHE, True),
        ({"cache_write_tokens": 4}, CHEAP_CACHE, True),
        ({"cached_tokens": 4}, EVEN_CACHE, False),
        ({"cached_tokens": 4}, {}, False),
    ],
    ids=["no cache", "read", "written", "no gain", "no price"],
)
async def test_a_conversation_without_a_name_is_pinned_once_its_cache_pays(
    api: Api, provider: FakeProvider, details: dict[str, int], prices: Any, is_pinned: bool
) -> None:
    await offer(api, {"prices": prices})
    provider.reply(json=with_cache(**details))

    await api.complete("Hello")

    assert bool(await pins()) is is_pinned


async def test_a_named_session_is_pinned_whatever_the_cache_costs(api: Api) -> None:
    await offer(api, {"prices": EVEN_CACHE})

    await ask(api)

    assert len(await pins()) == 1


async def test_a_housekeeping_call_never_sets_a_pin(api: Api) -> None:
    await offer(api, {})

    row = await row_of(await ask(api, TITLE))

    assert row.decision["analysis"]["housekeeping"] is True
    assert await pins() == []


async def test_a_housekeeping_call_follows_the_pin_that_exists(api: Api) -> None:
    await offer_pool(api)
    await ask(api, TURNS[1], plugins=auto(allowed_models=[OPUS]))
    before = await pins()

    response = await ask(api, TITLE)

    assert model_of(response) == OPUS
    assert await pins() == before


async def test_a_pin_does_not_override_patterns(api: Api) -> None:
    await offer_pool(api)
    await ask(api, plugins=auto(allowed_models=[OPUS]))
    await save_settings(api, excluded_models=["*opus*"])

    row = await row_of(await ask(api))

    assert (row.model == OPUS, row.decision["sticky"]["state"]) == (False, "dropped")
    assert [model for model, _ in await pins()] == [row.model]


async def test_an_excluded_pin_of_a_nameless_conversation_is_forgotten(
    api: Api, provider: FakeProvider
) -> None:
    await offer(api, {"slug": "a/one", "prices": CHEAP_CACHE}, {"slug": "b/two"})
    provider.reply(json=with_cache(cached_tokens=4))
    await api.complete("Hello", plugins=auto(allowed_models=["a/*"]))

    await api.complete("Hello", plugins=auto(allowed_models=["b/*"]))

    assert await pins() == []


async def test_a_pin_that_lacks_a_capability_is_kept(api: Api) -> None:
    plain = {"supported_parameters": ["max_tokens"]}
    await offer(api, {"slug": "a/plain", "model": plain}, {"slug": "b/tools"})
    await ask(api, plugins=auto(allowed_models=["a/*"]))
    before = await pins()

    with_tools = await row_of(await ask(api, tools=[TOOL]))
    without = await row_of(await ask(api))

    assert (with_tools.model, with_tools.decision["sticky"]["state"]) == ("b/tools", "ineligible")
    assert (without.model, without.decision["sticky"]["state"]) == ("a/plain", "followed")
    assert await pins() == before


async def test_a_pin_moves_to_what_served_where_its_provider_failed(
    api: Api, provider: FakeProvider
) -> None:
    await offer(api, {"slug": "a/one", "provider": "x"})
    await ask(api, model="a/one")
    await offer(api, {"slug": "a/one", "provider": "y"})
    provider.reply("x", status=503)

    await ask(api, model="a/one")
    row = await row_of(await ask(api, model="a/one"))

    assert (row.provider, row.attempts) == ("Y", 1)


async def test_the_model_that_is_asked_for_goes_before_a_pinned_fallback(
    api: Api, provider: FakeProvider
) -> None:
    await offer(api, {"slug": "a/one", "provider": "x"}, {"slug": "b/two", "provider": "y"})
    provider.reply("x", status=503)
    provider.reply("x", json=completion_json())
    await ask(api, model="a/one", models=["b/two"])
    api.process.health = Health()

    response = await ask(api, model="a/one", models=["b/two"])

    assert model_of(response) == "a/one"


async def test_a_pin_belongs_to_the_slug_that_was_asked_for(api: Api) -> None:
    await offer_pool(api)
    await ask(api, plugins=auto(allowed_models=[OPUS]))

    response = await ask(api, model=HAIKU)

    assert model_of(response) == HAIKU
    assert len(await pins()) == 2


async def test_a_stream_pins_as_well(api: Api) -> None:
    await offer(api, {})

    await ask(api, stream=True)

    assert len(await pins()) == 1


@pytest.mark.parametrize(
    ("account", "headers", "fields"),
    [
        ({"user_id": 2}, {}, {"session_id": "talk"}),
        ({}, {}, {"session_id": "other"}),
        ({}, {}, {"session_id": "talk", "model": FLASH}),
        ({}, {}, {}),
    ],
    ids=["user", "session", "model", "fingerprint"],
)
def test_a_pin_names_user_session_and_slug(
    account: dict[str, Any], headers: dict[str, str], fields: dict[str, Any]
) -> None:
    key = pin_key(make_account(), make_completion(session_id="talk"))

    assert pin_key(make_account(**account), make_completion(headers, **fields)) != key


def test_a_session_id_cannot_pass_for_a_fingerprint() -> None:
    nameless = make_completion()

    named = make_completion(session_id=nameless.session.id)

    assert pin_key(make_account(), named) != pin_key(make_account(), nameless)
