from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from activity.models import Attempt, Generation
from routing import presets
from routing.credentials import create_key, read_credential, save_credential
from routing.models import ApiKey, Credit, Endpoint, LanguageModel, Pin, Price, Provider

SECRET = "typed-secret-wxyz"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def pages(db: None, settings: Any, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path
    settings.AUTOROUTER_PROVIDER_KEYS = {}
    settings.AUTOROUTER_DEMO_UPSTREAM = ""


def make_provider(**fields: Any) -> Provider:
    defaults = {"slug": "acme", "name": "Acme", "base_url": "https://api.acme.example/v1"}
    return Provider.objects.create(**(defaults | fields))


def make_endpoint(number: int = 1) -> Endpoint:
    model = LanguageModel.objects.create(
        slug=f"acme/{number}",
        canonical_slug=f"acme/{number}-2026",
        name=f"Acme {number}",
        created=NOW,
        context_length=1000,
        input_modalities=["text"],
        output_modalities=["text"],
        supported_parameters=[],
    )
    provider = make_provider(slug=f"acme-{number}", needs_credential=False)
    endpoint = Endpoint.objects.create(model=model, provider=provider, upstream_model="one")
    Price.objects.create(
        endpoint=endpoint, prompt=Decimal("0.000001"), completion=Decimal("0.000002")
    )
    return endpoint


def make_generation(user: Any, number: int = 1) -> Generation:
    generation = Generation.objects.create(
        id=f"gen-{number}",
        user=user,
        settled_at=NOW,
        deadline=NOW,
        status=Generation.Status.COMPLETED,
        worker=1,
        key_id=1,
        key_name="mine",
        requested_model="openrouter/auto",
        streamed=False,
    )
    Attempt.objects.create(generation=generation, number=1, model="acme/1", provider="Acme")
    return generation


def change_page(row: Any) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def list_page(rows: Any) -> str:
    return reverse(f"admin:{rows._meta.app_label}_{rows._meta.model_name}_changelist")


def save_provider(client: Client, provider: Provider, **fields: Any) -> Any:
    posted = {
        "name": provider.name,
        "slug": provider.slug,
        "base_url": provider.base_url,
        "enabled": "on",
        "needs_credential": "on",
    }
    return client.post(change_page(provider), posted | fields)


def run_action(client: Client, action: str, *rows: Any) -> Any:
    posted = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(list_page(type(rows[0])), posted)


def test_a_typed_key_is_saved_and_never_shown(admin_client: Client) -> None:
    provider = make_provider()

    response = save_provider(admin_client, provider, new_key=SECRET)

    provider.refresh_from_db()
    page = admin_client.get(change_page(provider)).content.decode()
    assert response.status_code == 302
    assert read_credential(provider) == SECRET
    assert SECRET.encode() not in bytes(provider.credential)
    assert "saved, ends in …wxyz" in page
    assert SECRET not in page
    assert SECRET not in LogEntry.objects.get().change_message


def test_a_key_is_saved_with_a_new_provider(admin_client: Client) -> None:
    posted = {"name": "New", "slug": "new", "base_url": "https://new.example/v1"}

    admin_client.post(reverse("admin:routing_provider_add"), posted | {"new_key": SECRET})

    assert read_credential(Provider.objects.get(slug="new")) == SECRET


def test_an_empty_key_keeps_the_saved_one(admin_client: Client) -> None:
    provider = make_provider()
    save_credential(provider, SECRET)

    save_provider(admin_client, provider, name="Renamed")

    provider.refresh_from_db()
    assert provider.name == "Renamed"
    assert read_credential(provider) == SECRET


def test_a_saved_key_can_be_forgotten(admin_client: Client) -> None:
    provider = make_provider()
    save_credential(provider, SECRET)

    save_provider(admin_client, provider, forget_key="on")

    provider.refresh_from_db()
    assert (provider.credential, provider.credential_hint) == (None, "")


@pytest.mark.parametrize("key", ["typed key", "typed\nkey", "typed\x00key", "typed-ключ", "key "])
def test_a_key_that_no_header_can_carry_is_refused(admin_client: Client, key: str) -> None:
    provider = make_provider()

    response = save_provider(admin_client, provider, new_key=key)

    provider.refresh_from_db()
    assert response.status_code == 200
    assert response.context["adminform"].errors["new_key"]
    assert provider.credential is None


def test_a_refused_form_does_not_echo_the_key(admin_client: Client) -> None:
    response = save_provider(admin_client, make_provider(), new_key=SECRET, base_url="nonsense")

    assert response.status_code == 200
    assert SECRET not in response.content.decode()


def test_a_new_key_and_forgetting_exclude_each_other(admin_client: Client) -> None:
    response = save_provider(admin_client, make_provider(), new_key=SECRET, forget_key="on")

    assert "not both" in response.content.decode()


def test_the_page_names_the_variable_in_use(admin_client: Client, settings: Any) -> None:
    settings.AUTOROUTER_PROVIDER_KEYS = {"ACME_API_KEY": SECRET}
    provider = make_provider(environment_variable="ACME_API_KEY")

    page = admin_client.get(change_page(provider)).content.decode()

    assert "from ACME_API_KEY" in page
    assert SECRET not in page


@pytest.mark.parametrize("name", ["SECRET_KEY", "DATABASE_URL", "AUTOROUTER_KEY_PEPPER", "HOME"])
def test_no_other_secret_of_the_server_can_be_named_as_a_key(
    admin_client: Client, name: str
) -> None:
    provider = make_provider()

    page = save_provider(admin_client, provider, environment_variable=name).content.decode()

    provider.refresh_from_db()
    assert f"{name} is not read: the name must end in _API_KEY or _API_TOKEN" in page
    assert provider.environment_variable == ""


@pytest.mark.parametrize("name", ["", "ACME_API_KEY", "ACME_API_TOKEN"])
def test_a_variable_named_as_a_key_can_be_named(admin_client: Client, name: str) -> None:
    provider = make_provider()

    response = save_provider(admin_client, provider, environment_variable=name)

    provider.refresh_from_db()
    assert (response.status_code, provider.environment_variable) == (302, name)


def test_the_list_of_providers_says_why(admin_client: Client) -> None:
    make_endpoint()
    Provider.objects.update(environment_variable="ACME_API_KEY", needs_credential=True)

    page = admin_client.get(list_page(Provider)).content.decode()

    assert "set ACME_API_KEY or save a key for Acme in the admin" in page


def test_the_list_of_models_shows_price_and_expiry(admin_client: Client) -> None:
    presets.load()

    page = admin_client.get(list_page(LanguageModel)).content.decode()

    assert "$1.25 in, $10 out" in page
    assert "⚠ expired 2026-03-26" in page


@pytest.mark.parametrize("rows", [Provider, LanguageModel, Endpoint, Price])
def test_a_list_costs_the_same_queries_however_long(admin_client: Client, rows: Any) -> None:
    make_endpoint(1)
    admin_client.get(list_page(rows))
    with CaptureQueriesContext(connection) as short:
        admin_client.get(list_page(rows))
    presets.load()
    with CaptureQueriesContext(connection) as long:
        admin_client.get(list_page(rows))

    assert len(long) == len(short)


def test_actions_switch_models_and_the_pool(admin_client: Client) -> None:
    model = make_endpoint().model

    run_action(admin_client, "switch_off", model)
    run_action(admin_client, "put_in_pool", model)

    model.refresh_from_db()
    assert (model.enabled, model.in_auto_pool) == (False, True)
    assert LogEntry.objects.filter(change_message="enabled is False").count() == 1


def test_a_new_price_is_a_new_row_that_holds_from_now(admin_client: Client) -> None:
    endpoint = make_endpoint()
    posted = {
        "model": endpoint.model_id,
        "provider": endpoint.provider_id,
        "upstream_model": "one",
        "enabled": "on",
        "prices-TOTAL_FORMS": 1,
        "prices-INITIAL_FORMS": 0,
        "prices-0-prompt": "0.000003",
        "prices-0-completion": "0.000004",
        "prices-0-request": "0",
        "prices-0-web_search": "0",
    }

    response = admin_client.post(change_page(endpoint), posted)

    newest, oldest = endpoint.prices.all()
    assert response.status_code == 302
    assert (newest.prompt, newest.origin) == (Decimal("0.000003"), Price.Origin.OPERATOR)
    assert oldest.prompt == Decimal("0.000001")


def test_a_price_of_the_past_cannot_be_edited_or_deleted(admin_client: Client) -> None:
    price = make_endpoint().prices.get()

    posted = admin_client.post(change_page(price), {"prompt": "9", "completion": "9"})
    deleted = admin_client.post(reverse("admin:routing_price_delete", args=[price.pk]))

    price.refresh_from_db()
    assert (posted.status_code, deleted.status_code) == (403, 403)
    assert price.prompt == Decimal("0.000001")


def test_an_endpoint_is_deleted_with_its_prices(admin_client: Client) -> None:
    endpoint = make_endpoint()

    admin_client.post(reverse("admin:routing_endpoint_delete", args=[endpoint.pk]), {"post": "yes"})

    assert not Endpoint.objects.exists()
    assert not Price.objects.exists()


def test_an_api_key_shows_its_label_and_can_be_disabled(
    admin_client: Client, admin_user: Any
) -> None:
    key, secret = create_key(admin_user, "mine")

    page = admin_client.get(change_page(key)).content.decode()
    run_action(admin_client, "disable", key)

    assert key.label in page
    assert key.digest not in page
    assert secret not in page
    assert ApiKey.objects.get().disabled


def test_the_admin_makes_no_key_beyond_the_cap_or_below_it(admin_client: Client) -> None:
    response = admin_client.post(reverse("admin:routing_apikey_add"), {"name": "mine"})

    assert response.status_code == 403
    assert not ApiKey.objects.exists()


def test_a_name_that_shows_as_another_is_refused(admin_client: Client, admin_user: Any) -> None:
    key, _ = create_key(admin_user, "mine")

    response = admin_client.post(change_page(key), {"name": "\u202egnp.exe"})

    assert "U+202E RIGHT-TO-LEFT OVERRIDE" in response.content.decode()
    assert ApiKey.objects.get().name == "mine"


def test_a_generation_can_be_read_with_its_attempts(admin_client: Client, admin_user: Any) -> None:
    generation = make_generation(admin_user)

    response = admin_client.get(change_page(generation))

    assert response.status_code == 200
    assert "gen-1:1" in response.content.decode()


def test_a_generation_is_found_by_its_id(admin_client: Client, admin_user: Any) -> None:
    make_generation(admin_user, 1)
    make_generation(admin_user, 2)

    response = admin_client.get(list_page(Generation), {"q": "gen-2"})

    assert [row.id for row in response.context["cl"].result_list] == ["gen-2"]


@pytest.mark.parametrize("page", ["add", "change", "delete"])
def test_a_generation_cannot_be_changed_by_anyone(
    admin_client: Client, admin_user: Any, page: str
) -> None:
    generation = make_generation(admin_user)
    arguments = [] if page == "add" else [generation.pk]

    response = admin_client.post(
        reverse(f"admin:activity_generation_{page}", args=arguments), {"post": "yes", "cost": "9"}
    )

    generation.refresh_from_db()
    assert response.status_code == 403
    assert generation.cost == 0


def test_the_log_costs_the_same_queries_however_long(admin_client: Client, admin_user: Any) -> None:
    make_generation(admin_user, 1)
    admin_client.get(list_page(Generation))
    with CaptureQueriesContext(connection) as short:
        admin_client.get(list_page(Generation))
    [make_generation(admin_user, number) for number in range(2, 12)]
    with CaptureQueriesContext(connection) as long:
        admin_client.get(list_page(Generation))

    assert len(long) == len(short)


@pytest.mark.parametrize(
    "page",
    [
        *("routing_provider", "routing_endpoint", "routing_languagemodel", "routing_price"),
        *("routing_apikey", "routing_credit", "routing_autoroutersettings", "routing_pin"),
        *("activity_generation", "activity_spend", "activity_rejection"),
    ],
)
def test_every_list_opens_without_inline_style_or_script(
    admin_client: Client, admin_user: Any, page: str
) -> None:
    make_endpoint()
    make_generation(admin_user)
    Credit.objects.create(user=admin_user, amount=1)
    Pin.objects.create(key="k", user_id=1, model="acme/1", endpoint_id=1)

    response = admin_client.get(reverse(f"admin:{page}_changelist"))

    assert response.status_code == 200
    assert b"style=" not in response.content
    assert b"<script>" not in response.content


@pytest.mark.parametrize(
    "page", ["provider", "endpoint", "languagemodel", "price", "credit", "autoroutersettings"]
)
def test_every_form_opens(admin_client: Client, page: str) -> None:
    response = admin_client.get(reverse(f"admin:routing_{page}_add"))

    assert response.status_code == 200
    assert b"style=" not in response.content
    assert b"DatabaseDefault" not in response.content
