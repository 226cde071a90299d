import asyncio
from decimal import Decimal
from typing import Any

import pytest

from routing import credentials
from routing.models import ApiKey, AutoRouterSettings, Credit, Price
from routing.snapshot import Account, Snapshot
from tests.conftest import Api, in_db
from tests.factories import make_secret
from tests.routing.stories import offer
from tests.routing.values import make_account


async def account_of(api: Api) -> Account:
    account = await api.process.snapshot.account(api.secret)
    assert isinstance(account, Account)
    return account


async def until(condition: Any) -> None:
    """Wait for what a NOTIFY brings about; it takes milliseconds."""
    async with asyncio.timeout(5):
        while not await condition():  # noqa: ASYNC110 - PostgreSQL announces it, no event of ours
            await asyncio.sleep(0.01)


async def test_a_key_is_read_once(api: Api, queries: list[Any]) -> None:
    await account_of(api)
    queries.clear()

    account = await account_of(api)

    assert queries == []
    assert (account.key_id, account.user_id, account.budgets) == (api.key.pk, api.key.user_id, ())


async def test_many_who_wait_for_one_key_read_it_once(api: Api, queries: list[Any]) -> None:
    accounts = await asyncio.gather(*(account_of(api) for _ in range(50)))

    assert len(set(accounts)) == len(queries) == 1


async def test_a_forged_key_is_unknown_without_a_query(api: Api, queries: list[Any]) -> None:
    assert await api.process.snapshot.account("sk-ar-v1-forged") == credentials.UNKNOWN
    assert queries == []


async def test_a_key_made_up_well_costs_one_query(api: Api, queries: list[Any]) -> None:
    key, secret = await in_db(make_secret)()
    await key.adelete()

    assert await api.process.snapshot.account(secret) == credentials.UNKNOWN
    assert len(queries) == 1


async def test_an_account_has_limits_and_settings(api: Api) -> None:
    user_id = api.key.user_id
    await ApiKey.objects.aupdate(limit=Decimal(5), limit_reset="weekly")
    await Credit.objects.acreate(user_id=user_id, amount=Decimal(9))
    await AutoRouterSettings.objects.acreate(user_id=user_id, allowed_models=["a/*"])
    await api.refresh()

    account = await account_of(api)

    assert account.budgets == (
        (f"key:{api.key.pk}", "weekly", Decimal(5)),
        (f"user:{user_id}", "total", Decimal(9)),
    )
    assert account.settings is not None
    assert (account.settings.allowed_models, account.settings.tradeoff) == (("a/*",), 7)


async def test_a_key_that_is_switched_off_is_heard_of(api: Api) -> None:
    await account_of(api)

    await ApiKey.objects.aupdate(disabled=True)

    async def is_unknown() -> bool:
        return isinstance(await api.process.snapshot.account(api.secret), str)

    await until(is_unknown)


async def test_saved_settings_are_heard_of(api: Api) -> None:
    assert (await account_of(api)).settings is None

    await AutoRouterSettings.objects.acreate(user_id=api.key.user_id)

    async def are_seen() -> bool:
        return (await account_of(api)).settings is not None

    await until(are_seen)


async def test_a_new_price_is_heard_of(api: Api) -> None:
    await offer(api, {"slug": "a/one"})
    endpoint_id = api.process.snapshot.catalogue.models["a/one"].offers[0].id

    await Price.objects.acreate(endpoint_id=endpoint_id, prompt=Decimal(7), completion=Decimal(8))

    async def is_seen() -> bool:
        return api.process.snapshot.catalogue.models["a/one"].offers[0].rates.prompt == 7

    await until(is_seen)


async def test_while_nobody_listens_nothing_is_older_than_a_second(
    api: Api, queries: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot: Snapshot = api.process.snapshot
    before = await account_of(api)
    snapshot.listening = False
    queries.clear()

    await account_of(api)
    monkeypatch.setattr("time.monotonic", lambda: before.read_at + 1.1)
    await account_of(api)

    assert len(queries) == 1


def test_an_account_without_limits_has_no_budgets() -> None:
    assert make_account().budgets == ()


@pytest.mark.parametrize(("reset", "kind"), [("", "total"), ("daily", "daily")])
def test_a_limit_without_a_reset_is_for_ever(reset: str, kind: str) -> None:
    account = make_account(limit=Decimal(5), limit_reset=reset)

    assert account.budgets == (("key:1", kind, Decimal(5)),)
