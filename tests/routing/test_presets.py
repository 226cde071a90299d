from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from routing import presets
from routing.credentials import read_credential, save_credential
from routing.models import Endpoint, LanguageModel, Price, Provider

DEMO_ADDRESS = "127.0.0.1:9"
EXPIRED = "google/gemini-3-pro-preview"
OLDER = Decimal("0.000009")


@pytest.fixture(autouse=True)
def no_demo(db: None, settings: Any) -> None:
    settings.AUTOROUTER_DEMO_UPSTREAM = ""


@pytest.fixture
def loaded() -> None:
    presets.load()


def prices_of_codestral() -> QuerySet[Price]:
    """The history of one endpoint, the newest first."""
    return Price.objects.filter(endpoint__upstream_model="codestral-2508")


def set_by_hand() -> Price:
    endpoint = Endpoint.objects.get(upstream_model="codestral-2508")
    return Price.objects.create(endpoint=endpoint, prompt=1, completion=2)


def test_the_first_load_fills_the_catalogue() -> None:
    loaded = presets.load()

    assert (loaded.models, loaded.providers) == (30, 11)
    assert loaded.prices == loaded.endpoints == Endpoint.objects.count()
    assert LanguageModel.objects.filter(in_auto_pool=True).count() == 30
    assert Endpoint.objects.filter(provider__slug="openrouter").count() == 30


def test_a_second_load_only_reads(loaded: None) -> None:
    with CaptureQueriesContext(connection) as queries:
        presets.load()

    assert not [one for one in queries if one["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]


def test_the_command_reports_what_it_wrote(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("load_catalogue")
    first = capsys.readouterr().out
    call_command("load_catalogue")

    assert first.startswith("Wrote 30 models, 11 providers, ")
    assert capsys.readouterr().out == ("Wrote 0 models, 0 providers, 0 endpoints and 0 prices.\n")


@pytest.mark.parametrize("rows", [LanguageModel, Provider, Endpoint, Price])
def test_every_row_of_the_files_is_valid(loaded: None, rows: Any) -> None:
    assert [row.full_clean() for row in rows.objects.all()]


def test_every_endpoint_names_its_source(loaded: None) -> None:
    assert not Endpoint.objects.filter(source="").exists()


def test_a_model_keeps_the_id_that_openrouter_knows_it_by(loaded: None) -> None:
    model = LanguageModel.objects.get(slug="mistralai/mistral-small-3.2-24b-instruct-2506")

    endpoint = model.endpoints.get(provider__slug="openrouter")

    assert endpoint.upstream_model == model.alias == "mistralai/mistral-small-3.2-24b-instruct"


def test_a_long_prompt_has_its_own_price(loaded: None) -> None:
    price = Price.objects.get(
        endpoint__model__slug="anthropic/claude-opus-4.6", endpoint__provider__slug="openrouter"
    )

    assert price.long_context_over == 200_000
    assert (price.long_prompt, price.long_cache_write) == (Decimal("0.00001"), Decimal("0.0000125"))


def test_a_provider_is_not_offered_parameters_that_it_ignores(loaded: None) -> None:
    endpoint = Endpoint.objects.get(upstream_model="claude-opus-4-6")

    assert "tools" in endpoint.supported_parameters
    assert "response_format" not in endpoint.supported_parameters


def test_google_is_asked_to_reason_by_the_name_that_it_knows(loaded: None) -> None:
    endpoint = Endpoint.objects.get(upstream_model="gemini-3-flash-preview")

    assert "reasoning_effort" in endpoint.supported_parameters
    assert not {"reasoning", "include_reasoning"} & {*endpoint.supported_parameters}


def test_a_name_that_its_provider_retired_is_loaded_switched_off(
    loaded: None, settings: Any
) -> None:
    settings.AUTOROUTER_DEMO_UPSTREAM = DEMO_ADDRESS
    presets.load()

    served = dict(
        Endpoint.objects.filter(model__slug=EXPIRED).values_list("provider__slug", "enabled")
    )

    assert served == {"openrouter": False, "google": False, "demo": True}
    assert LanguageModel.objects.get(slug=EXPIRED).in_auto_pool


def test_the_demo_provider_is_loaded_where_it_has_an_address(settings: Any) -> None:
    settings.AUTOROUTER_DEMO_UPSTREAM = DEMO_ADDRESS

    presets.load()

    demo = Provider.objects.get(slug="demo")
    assert demo.base_url == f"http://{DEMO_ADDRESS}/v1"
    assert not demo.needs_credential
    assert demo.endpoints.count() == 30


def test_facts_return_with_the_next_load(loaded: None) -> None:
    LanguageModel.objects.update(context_length=1)
    Provider.objects.update(base_url="https://elsewhere.example/v1")
    Endpoint.objects.update(context_length=1)

    presets.load()

    assert not LanguageModel.objects.filter(context_length=1).exists()
    assert not Provider.objects.filter(base_url="https://elsewhere.example/v1").exists()
    assert not Endpoint.objects.filter(context_length=1).exists()


def test_what_an_operator_switched_stays(loaded: None) -> None:
    LanguageModel.objects.update(enabled=False, in_auto_pool=False, context_length=1)
    Provider.objects.update(enabled=False, base_url="https://elsewhere.example/v1")
    Endpoint.objects.update(enabled=False, context_length=1)

    presets.load()

    assert not LanguageModel.objects.filter(enabled=True).exists()
    assert not LanguageModel.objects.filter(in_auto_pool=True).exists()
    assert not Provider.objects.filter(enabled=True).exists()
    assert not Endpoint.objects.filter(enabled=True).exists()


def test_a_saved_key_stays(loaded: None) -> None:
    save_credential(Provider.objects.get(slug="openai"), "saved-key")
    Provider.objects.update(base_url="https://elsewhere.example/v1")

    presets.load()

    assert read_credential(Provider.objects.get(slug="openai")) == "saved-key"


def test_what_an_operator_added_stays(loaded: None) -> None:
    Provider.objects.create(slug="mine", name="Mine", base_url="https://mine.example/v1")

    presets.load()

    assert Provider.objects.filter(slug="mine").exists()


def test_a_changed_price_of_the_files_becomes_a_new_row(loaded: None) -> None:
    yesterday = timezone.now() - timedelta(days=1)
    prices_of_codestral().update(prompt=OLDER, valid_from=yesterday)

    loaded_again = presets.load()

    assert loaded_again.prices == 1
    assert [price.prompt for price in prices_of_codestral()] == [Decimal("0.0000003"), OLDER]


def test_a_price_set_by_hand_stays(loaded: None) -> None:
    by_hand = set_by_hand()

    presets.load()

    assert prices_of_codestral().first() == by_hand


def test_a_price_set_by_hand_outlives_a_change_of_the_files(
    loaded: None, capsys: pytest.CaptureFixture[str]
) -> None:
    prices_of_codestral().update(prompt=OLDER)
    by_hand = set_by_hand()

    call_command("load_catalogue")

    assert prices_of_codestral().first() == by_hand
    assert "Kept your price of mistralai/codestral-2508 at Mistral" in capsys.readouterr().out
