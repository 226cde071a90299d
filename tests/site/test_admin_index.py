import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.urls import reverse

from activity.models import Generation, Rejection
from routing import presets

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
YESTERDAY = NOON - timedelta(days=1)


@pytest.fixture(autouse=True)
def at_noon(settings: Any, tmp_path: Path) -> Any:
    settings.STATIC_ROOT = tmp_path
    settings.AUTOROUTER_PROVIDER_KEYS = {}
    settings.AUTOROUTER_DEMO_UPSTREAM = ""
    with time_machine.travel(NOON, tick=False):
        yield


def make_generation(user: Any, number: int, **fields: Any) -> Generation:
    defaults = {
        "created_at": NOON,
        "settled_at": NOON,
        "deadline": NOON,
        "status": Generation.Status.COMPLETED,
        "worker": 1,
        "key_id": 1,
        "key_name": "mine",
        "requested_model": "openrouter/auto",
        "routed_model": "acme/one",
        "provider": "Acme",
        "streamed": False,
        "cost": Decimal("0.25"),
    }
    return Generation.objects.create(id=f"gen-{number}", user=user, **(defaults | fields))


def index(client: Client) -> Any:
    return client.get(reverse("admin:index"))


def test_index_counts_the_day_in_utc(admin_client: Client, admin_user: Any) -> None:
    make_generation(admin_user, 1)
    make_generation(admin_user, 2, created_at=NOON.replace(hour=0))
    make_generation(admin_user, 3, created_at=NOON.replace(hour=0) - timedelta(seconds=1))

    totals = index(admin_client).context["totals"]

    assert (totals["requests"], totals["spend"]) == (2, Decimal("0.50"))


def test_index_counts_errors_and_rejections(admin_client: Client, admin_user: Any) -> None:
    make_generation(admin_user, 1, status="failed")
    make_generation(admin_user, 2, status="cancelled")
    Rejection.objects.create(day=NOON, key_id=1, user_id=1, code=400, error_type="bad", count=3)
    Rejection.objects.create(day=NOON, key_id=1, user_id=1, code=429, error_type="much", count=2)
    Rejection.objects.create(
        day=YESTERDAY, key_id=1, user_id=1, code=400, error_type="bad", count=9
    )

    response = index(admin_client)

    assert response.context["totals"]["errors"] == 1
    assert response.context["rejected"] == 5


def test_index_groups_by_status_and_model(admin_client: Client, admin_user: Any) -> None:
    make_generation(admin_user, 1)
    make_generation(admin_user, 2)
    make_generation(admin_user, 3, status="failed", routed_model="")

    response = index(admin_client)

    assert response.context["statuses"] == [
        {"status": "completed", "requests": 2},
        {"status": "failed", "requests": 1},
    ]
    assert response.context["top_models"] == [
        {"routed_model": "acme/one", "requests": 2, "spent": Decimal("0.50")}
    ]
    assert b"$0.500000" in response.content


def test_index_groups_the_thousands_of_its_figures(admin_client: Client, admin_user: Any) -> None:
    make_generation(admin_user, 1, cost=Decimal("11250.1218114"))

    page = index(admin_client).content.decode()

    assert page.count("$11,250.121811") == 2


def test_index_links_a_status_to_its_requests_of_the_day(
    admin_client: Client, admin_user: Any
) -> None:
    make_generation(admin_user, 1)
    make_generation(admin_user, 2, created_at=YESTERDAY)
    page = index(admin_client).content.decode()
    (link,) = re.findall(r'href="([^"]+)">completed<', page)

    response = admin_client.get(unescape(link))

    assert [row.id for row in response.context["cl"].result_list] == ["gen-1"]
    assert '<li class="selected">\n    <a href="?created_at__gte' in response.content.decode()


def test_index_lists_the_five_newest_errors(admin_client: Client, admin_user: Any) -> None:
    errors = [
        make_generation(admin_user, n, status="failed", created_at=NOON - timedelta(days=n))
        for n in range(6)
    ]

    assert index(admin_client).context["errors"] == errors[:5]


def test_index_says_what_would_switch_a_provider_on(admin_client: Client) -> None:
    presets.load()

    content = index(admin_client).content.decode()

    assert "set OPENROUTER_API_KEY or save a key for OpenRouter in the admin" in content


def test_index_says_which_provider_is_on(admin_client: Client, settings: Any) -> None:
    presets.load()
    settings.AUTOROUTER_PROVIDER_KEYS = {"OPENROUTER_API_KEY": "a-secret-key"}

    response = index(admin_client)

    (openrouter,) = [one for one in response.context["providers"] if one.on]
    assert (openrouter.provider.slug, openrouter.usable_models) == ("openrouter", 29)
    assert b"a-secret-key" not in response.content


def test_index_costs_as_many_queries_on_a_busy_day(
    admin_client: Client, admin_user: Any, django_assert_max_num_queries: Any
) -> None:
    presets.load()
    for number in range(20):
        make_generation(admin_user, number, status="failed", routed_model=f"acme/{number}")

    with django_assert_max_num_queries(14):
        index(admin_client)


@pytest.mark.parametrize("marker", [b"<script>", b"style=", b"<style", b"onclick="])
def test_index_obeys_its_own_content_security_policy(admin_client: Client, marker: bytes) -> None:
    response = index(admin_client)

    assert marker not in response.content
    assert "style-src 'self'" in response["Content-Security-Policy"]


def test_newest_errors_are_found_by_their_own_index(db: None, admin_user: Any) -> None:
    rows = [make_generation(admin_user, n, created_at=NOON - timedelta(n)) for n in range(2)]
    facts = Generation.objects.values().get(pk=rows[0].pk)
    many = [Generation(**facts | {"id": f"gen-{n}"}) for n in range(2, 3000)]
    Generation.objects.bulk_create(many)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE activity_generation")

    plan = Generation.objects.failed().newest_first()[:5].explain()

    assert "generation_errors" in plan
    assert "Sort" not in plan


def test_the_admin_tells_moments_to_the_second_and_in_utc(
    admin_client: Client, admin_user: Any
) -> None:
    make_generation(admin_user, 1, created_at=NOON + timedelta(seconds=28))

    page = admin_client.get("/admin/activity/generation/").content.decode()

    assert "2026-11-21 12:00:28 UTC" in page
