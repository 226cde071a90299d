from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from activity.models import Spend
from activity.periods import current_periods
from tests.factories import make_secret

KEYS = {"label", "limit", "limit_remaining", "limit_reset", "include_byok_in_limit", "usage"}
KEYS |= {"usage_daily", "usage_weekly", "usage_monthly", "byok_usage", "byok_usage_daily"}
KEYS |= {"byok_usage_weekly", "byok_usage_monthly", "is_free_tier", "is_management_key"}
KEYS |= {"is_provisioning_key", "rate_limit", "expires_at", "creator_user_id", "budgets"}
KEYS |= {"allowed_data_regions", "effective_budget", "free_model_daily_requests"}
KEYS |= {"organization_id", "workspace_id"}


def entry_of(client: Client, spent: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    """The entry of a new key that spent so much in these kinds of period."""
    key, secret = make_secret(**fields)
    periods = {"total": "total", **current_periods(timezone.now())}
    Spend.objects.bulk_create(
        Spend(owner=f"key:{key.pk}", period=periods[kind], spent=Decimal(amount))
        for kind, amount in (spent or {}).items()
    )
    response = client.get("/api/v1/key", headers={"Authorization": f"Bearer {secret}"})
    assert response.status_code == 200
    return response.json()["data"]


def test_a_key_has_what_the_strict_clients_insist_on(client: Client, db: None) -> None:
    entry = entry_of(client)

    assert len(KEYS) == 25
    assert entry.keys() >= KEYS
    assert entry["rate_limit"].keys() == {"requests", "interval", "note"}
    assert entry["free_model_daily_requests"].keys() == {"limit", "used", "remaining"}
    assert (entry["budgets"], entry["effective_budget"]) == ([], None)


def test_a_new_key_without_a_limit_spent_nothing(client: Client, db: None) -> None:
    entry = entry_of(client)

    assert (entry["limit"], entry["limit_remaining"], entry["limit_reset"]) == (None, None, None)
    assert (entry["usage"], entry["usage_daily"], entry["byok_usage"]) == (0, 0, 0)


def test_usage_is_told_by_period(client: Client, db: None) -> None:
    spent = {"total": "4", "monthly": "3", "weekly": "2", "daily": "1"}

    entry = entry_of(client, spent)

    assert [entry["usage"], entry["usage_monthly"]] == [4, 3]
    assert [entry["usage_weekly"], entry["usage_daily"]] == [2, 1]


@pytest.mark.parametrize(
    ("reset", "remaining"), [("", 6), ("monthly", 7), ("weekly", 8), ("daily", 9)]
)
def test_what_remains_is_that_of_the_keys_own_period(
    client: Client, db: None, reset: str, remaining: float
) -> None:
    spent = {"total": "4", "monthly": "3", "weekly": "2", "daily": "1"}

    entry = entry_of(client, spent, limit=Decimal(10), limit_reset=reset)

    assert (entry["limit"], entry["limit_remaining"]) == (10, remaining)
    assert entry["limit_reset"] == (reset or None)


def test_less_than_nothing_never_remains(client: Client, db: None) -> None:
    assert entry_of(client, {"total": "4"}, limit=Decimal(1))["limit_remaining"] == 0


def test_a_key_asks_for_itself_alone(client: Client, db: None) -> None:
    entry_of(client, {"total": "4"})

    assert entry_of(client)["usage"] == 0


@pytest.mark.parametrize("path", ["/api/v1/key", "/api/v1/auth/key", "/v1/key"])
def test_a_key_is_told_under_each_of_its_names(client: Client, db: None, path: str) -> None:
    key, secret = make_secret(name="Laptop")

    response = client.get(path, headers={"Authorization": f"Bearer {secret}"})

    entry = response.json()["data"]
    assert (entry["name"], entry["hash"]) == ("Laptop", key.digest)
    assert secret not in response.content.decode()


def test_a_key_is_told_in_a_bounded_number_of_queries(
    client: Client, db: None, django_assert_max_num_queries: Any
) -> None:
    _, secret = make_secret()

    with django_assert_max_num_queries(2):
        client.get("/api/v1/key", headers={"Authorization": f"Bearer {secret}"})


@pytest.mark.parametrize(
    ("reset", "resets_at"),
    [
        ("", None),
        ("daily", "2026-12-31T00:00:00+00:00"),
        ("weekly", "2027-01-04T00:00:00+00:00"),
        ("monthly", "2027-01-01T00:00:00+00:00"),
    ],
)
def test_the_limit_of_a_key_is_its_budget(
    client: Client, db: None, time_machine: Any, reset: str, resets_at: str | None
) -> None:
    time_machine.move_to("2026-12-30T23:59:00Z", tick=False)

    entry = entry_of(client, {reset or "total": "12.5"}, limit=Decimal(10), limit_reset=reset)

    assert entry["budgets"] == [entry["effective_budget"]]
    assert entry["effective_budget"] == {
        "scope": "key_limit",
        "budget_id": None,
        "guardrail_id": None,
        "include_byok": False,
        "limit_usd": 10,
        "spend_usd": 12.5,
        "remaining_usd": -2.5,
        "reset_interval": reset or None,
        "resets_at": resets_at,
    }
    assert entry["limit_remaining"] == 0
