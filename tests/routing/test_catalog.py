import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from routing import presets
from routing.catalog import read_catalogue, read_providers
from routing.credentials import save_credential
from routing.models import Endpoint, LanguageModel, Price, Provider

DEMO_ADDRESS = "127.0.0.1:9"


@pytest.fixture(autouse=True)
def bare(db: None, settings: Any) -> None:
    settings.AUTOROUTER_PROVIDER_KEYS = {}
    settings.AUTOROUTER_DEMO_UPSTREAM = ""
    settings.AUTOROUTER_PRIVATE_UPSTREAMS = []


@pytest.fixture
def demo(settings: Any) -> Provider:
    settings.AUTOROUTER_DEMO_UPSTREAM = DEMO_ADDRESS
    settings.AUTOROUTER_PRIVATE_UPSTREAMS = [DEMO_ADDRESS]
    return make_provider(slug="demo", name="Demo", needs_credential=False)


def make_provider(slug: str = "acme", **fields: Any) -> Provider:
    fields = {"name": slug.title(), "base_url": "https://api.acme.example/v1"} | fields
    return Provider.objects.create(slug=slug, **fields)


def make_model(slug: str = "acme/one", **fields: Any) -> LanguageModel:
    defaults = {
        "canonical_slug": f"{slug}-2026",
        "name": slug,
        "created": datetime(2026, 1, 2, tzinfo=UTC),
        "context_length": 1000,
        "input_modalities": ["text"],
        "output_modalities": ["text"],
        "supported_parameters": ["tools"],
        "in_auto_pool": True,
    }
    return LanguageModel.objects.create(slug=slug, **(defaults | fields))


def make_endpoint(model: LanguageModel, provider: Provider, **fields: Any) -> Endpoint:
    return Endpoint.objects.create(model=model, provider=provider, upstream_model="one", **fields)


def make_price(endpoint: Endpoint, prompt: str = "0.000001", **fields: Any) -> Price:
    return Price.objects.create(
        endpoint=endpoint, prompt=Decimal(prompt), completion=Decimal("0.000002"), **fields
    )


def make_open(**provider: Any) -> Endpoint:
    """An endpoint that can be called: its provider needs no key, and it has a price."""
    endpoint = make_endpoint(make_model(), make_provider(needs_credential=False, **provider))
    make_price(endpoint)
    return endpoint


def one() -> Any:
    return read_catalogue().models["acme/one"]


def test_an_offer_carries_what_a_call_needs() -> None:
    endpoint = make_open(cancel_stops_billing=False)

    (offer,) = one().offers

    assert (offer.id, offer.model, offer.provider) == (endpoint.id, "acme/one", "acme")
    assert (offer.base_url, offer.upstream_model) == ("https://api.acme.example/v1", "one")
    assert (offer.context_length, offer.max_output_tokens) == (1000, None)
    assert offer.supported_parameters == {"tools"}
    assert offer.rates.prompt == Decimal("0.000001")
    assert offer.cached_in_prompt
    assert not offer.cancel_stops_billing


def test_an_endpoint_has_limits_of_its_own() -> None:
    endpoint = make_open()
    Endpoint.objects.filter(id=endpoint.id).update(
        context_length=500, max_output_tokens=50, supported_parameters=[]
    )

    (offer,) = one().offers

    assert (offer.context_length, offer.max_output_tokens) == (500, 50)
    assert offer.supported_parameters == frozenset()


@pytest.mark.parametrize("name", ["acme/one", "ACME/One", "acme/one-2026", "acme/old-name"])
def test_a_model_is_found_by_each_of_its_names(name: str) -> None:
    make_model(alias="acme/Old-Name")

    model = read_catalogue().find(name)

    assert model is not None
    assert model.slug == "acme/one"


def test_a_name_that_two_share_means_the_one_that_has_it_as_its_id() -> None:
    make_model("acme/zwei", canonical_slug="acme/two")
    make_model("acme/two")

    assert read_catalogue().find("acme/two").slug == "acme/two"


def test_an_unknown_name_finds_nothing() -> None:
    assert read_catalogue().find("acme/one") is None


def test_a_provider_without_a_key_is_off_and_says_what_to_set() -> None:
    make_price(make_endpoint(make_model(), make_provider(environment_variable="ACME_API_KEY")))

    assert one().offers == ()
    assert one().unusable == (
        "No endpoint of acme/one is usable: set ACME_API_KEY or save a key for Acme in the admin."
    )


def test_an_environment_variable_switches_a_provider_on(settings: Any) -> None:
    make_price(make_endpoint(make_model(), make_provider(environment_variable="ACME_API_KEY")))
    settings.AUTOROUTER_PROVIDER_KEYS = {"ACME_API_KEY": "from-environment"}

    (offer,) = one().offers

    assert offer.credential == "from-environment"
    assert one().unusable == ""


@pytest.mark.parametrize("endpoints", [0, 1])
def test_a_key_without_an_endpoint_that_is_on_is_not_asked_for(endpoints: int) -> None:
    provider = make_provider(environment_variable="ACME_API_KEY")
    [make_endpoint(make_model(), provider, enabled=False) for _ in range(endpoints)]

    (report,) = read_providers()

    assert not report.on
    assert report.why == "no endpoint of Acme is on; switch one on or add one in the admin"


def test_a_saved_key_wins_over_the_environment(settings: Any) -> None:
    provider = make_provider(environment_variable="ACME_API_KEY")
    make_price(make_endpoint(make_model(), provider))
    settings.AUTOROUTER_PROVIDER_KEYS = {"ACME_API_KEY": "from-environment"}
    save_credential(provider, "saved-key")

    (offer,) = one().offers

    assert offer.credential == "saved-key"


def test_a_key_is_not_in_the_repr_of_anything(settings: Any) -> None:
    make_price(make_endpoint(make_model(), make_provider(environment_variable="ACME_API_KEY")))
    settings.AUTOROUTER_PROVIDER_KEYS = {"ACME_API_KEY": "from-environment"}

    assert "from-environment" not in repr(read_catalogue())
    assert "from-environment" not in repr(read_providers())


def test_a_key_that_cannot_be_read_switches_its_provider_off(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    provider = make_provider(environment_variable="ACME_API_KEY")
    make_price(make_endpoint(make_model(), provider))
    save_credential(provider, "saved-key")
    settings.AUTOROUTER_PROVIDER_KEYS = {"ACME_API_KEY": "from-environment"}
    Provider.objects.update(credential=b"\x09" + bytes(40))

    with caplog.at_level(logging.WARNING):
        model = one()

    assert model.offers == ()
    assert "AUTOROUTER_CREDENTIAL_KEYS" in model.unusable
    assert "Provider acme is not usable" in caplog.text


@pytest.mark.parametrize("key", ["two words", "line\n", "nul\x00", "ключ"])
def test_a_key_that_no_header_can_carry_is_not_used(settings: Any, key: str) -> None:
    make_price(make_endpoint(make_model(), make_provider(environment_variable="ACME_API_KEY")))
    settings.AUTOROUTER_PROVIDER_KEYS = {"ACME_API_KEY": key}

    model = one()

    assert model.offers == ()
    assert "correct ACME_API_KEY of Acme" in model.unusable
    assert key not in model.unusable


def test_an_endpoint_without_a_price_is_not_free_but_unusable(
    caplog: pytest.LogCaptureFixture,
) -> None:
    endpoint = make_endpoint(make_model(), make_provider(needs_credential=False))

    model = one()

    assert model.offers == ()
    assert model.rates is None
    assert "add a price to its endpoint at Acme" in model.unusable
    assert f"Endpoint {endpoint.id} has no price" in caplog.text


def test_the_newest_price_that_has_begun_holds() -> None:
    endpoint = make_open()
    make_price(endpoint, "0.000003", valid_from=timezone.now() - timedelta(seconds=1))
    make_price(endpoint, "0.000002", valid_from=timezone.now() - timedelta(days=1))
    make_price(endpoint, "0.000009", valid_from=timezone.now() + timedelta(days=1))
    Price.objects.filter(prompt=Decimal("0.000001")).delete()

    (offer,) = one().offers

    assert offer.rates.prompt == Decimal("0.000003")


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (Provider, "switch Acme on in the admin"),
        (Endpoint, "its endpoint at Acme is switched off in the admin"),
        (LanguageModel, "acme/one is switched off; switch it on in the admin."),
    ],
)
def test_what_is_switched_off_is_not_offered_and_says_so(rows: Any, reason: str) -> None:
    make_open()
    rows.objects.update(enabled=False)

    assert one().offers == ()
    assert reason in one().unusable


def test_a_private_address_counts_only_while_it_is_listed(settings: Any) -> None:
    make_open(base_url="http://127.0.0.1:11434/v1")
    settings.AUTOROUTER_PRIVATE_UPSTREAMS = ["127.0.0.1:11434"]
    listed = one().offers
    settings.AUTOROUTER_PRIVATE_UPSTREAMS = []

    assert len(listed) == 1
    assert one().offers == ()
    assert "AUTOROUTER_PRIVATE_UPSTREAMS" in one().unusable


def test_a_model_that_nobody_serves_says_so() -> None:
    make_model()

    assert one().unusable == "No endpoint of acme/one is usable: add one in the admin."


def test_the_demo_provider_serves_while_nothing_else_is_set_up(demo: Provider) -> None:
    model = make_model()
    make_price(make_endpoint(model, demo))
    make_price(make_endpoint(model, make_provider(environment_variable="ACME_API_KEY")))

    (offer,) = one().offers

    assert (offer.provider, offer.base_url) == ("demo", f"http://{DEMO_ADDRESS}/v1")


def test_the_demo_provider_steps_aside_for_a_real_one(demo: Provider) -> None:
    make_price(make_endpoint(make_open().model, demo))
    demo_only = make_model("acme/two")
    make_price(make_endpoint(demo_only, demo))

    catalogue = read_catalogue()

    assert [offer.provider for offer in catalogue.models["acme/one"].offers] == ["acme"]
    assert catalogue.models["acme/two"].offers == ()
    assert "Demo" not in catalogue.models["acme/two"].unusable


def test_the_demo_provider_does_not_stand_in_for_a_key_that_cannot_be_read(demo: Provider) -> None:
    provider = make_provider()
    model = make_model()
    make_price(make_endpoint(model, demo))
    make_price(make_endpoint(model, provider))
    save_credential(provider, "saved-key")
    Provider.objects.filter(slug="acme").update(credential=b"\x09" + bytes(40))

    assert one().offers == ()


def test_the_demo_provider_is_off_unless_it_is_asked_for(demo: Provider, settings: Any) -> None:
    make_price(make_endpoint(make_model(), demo))
    settings.AUTOROUTER_DEMO_UPSTREAM = ""

    assert one().offers == ()


def test_the_pool_holds_what_is_marked_and_on() -> None:
    make_model("acme/in")
    make_model("acme/out", in_auto_pool=False)
    make_model("acme/off", enabled=False)

    assert [model.slug for model in read_catalogue().pool] == ["acme/in"]


def test_the_cheapest_offer_is_first_and_its_price_is_shown() -> None:
    dear = make_open()
    cheap = make_endpoint(dear.model, make_provider("zenith", needs_credential=False))
    make_price(cheap, "0.0000005")

    assert [offer.provider for offer in one().offers] == ["zenith", "acme"]
    assert one().rates.prompt == Decimal("0.0000005")


def test_without_an_offer_the_list_price_is_shown() -> None:
    model = make_model()
    make_price(make_endpoint(model, make_provider("acme")), "0.000001")
    make_price(make_endpoint(model, make_provider("openrouter")), "0.000004")

    assert one().rates.prompt == Decimal("0.000004")


def test_reading_costs_three_queries_whatever_the_size(django_assert_num_queries: Any) -> None:
    make_open()
    with django_assert_num_queries(3):
        read_catalogue()
    presets.load()

    with django_assert_num_queries(3):
        read_catalogue()


def test_providers_are_reported_with_their_state(demo: Provider) -> None:
    make_price(make_endpoint(make_open().model, demo))
    make_endpoint(make_model("acme/two"), make_provider("beta"))

    reports = {report.provider.slug: report for report in read_providers()}

    assert (reports["acme"].on, reports["acme"].usable_models) == (True, 1)
    assert (reports["beta"].on, reports["beta"].why) == (False, "save a key for Beta in the admin")
    assert (reports["demo"].on, reports["demo"].why) == (False, "a provider with a key is in use")
