"""Values of the catalogue and requests, made by hand: valid by default, without a database."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson

from routing.catalog import Catalogue, Model, Offer
from routing.completion import Completion, parse
from routing.pricing import Rates
from routing.snapshot import Account, SavedSettings

HELLO = [{"role": "user", "content": "Hello"}]


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def make_rates(prompt: str = "0.000001", completion: str = "0.000002", **rates: Any) -> Rates:
    given = {
        name: Decimal(value) if isinstance(value, str) else value for name, value in rates.items()
    }
    return Rates(Decimal(prompt), Decimal(completion), **given)


def make_offer(model: str = "a/one", provider: str = "up", **fields: Any) -> Offer:
    defaults = {
        "id": 1,
        "model": model,
        "provider": provider,
        "provider_name": provider.title(),
        "base_url": f"https://{provider}.example.com/v1",
        "credential": "sk-upstream",
        "upstream_model": model,
        "context_length": 100_000,
        "max_output_tokens": 10_000,
        "supported_parameters": frozenset({"max_tokens", "temperature", "tools"}),
        "rates": make_rates(),
        "cached_in_prompt": True,
        "cancel_stops_billing": True,
    }
    return Offer(**defaults | fields)


def make_model(slug: str = "a/one", *offers: Offer, **fields: Any) -> Model:
    defaults = {
        "slug": slug,
        "canonical_slug": f"{slug}-20250101",
        "names": (slug, f"{slug}-20250101"),
        "name": slug,
        "created": 1_700_000_000,
        "context_length": 100_000,
        "max_output_tokens": 10_000,
        "input_modalities": frozenset({"text"}),
        "output_modalities": frozenset({"text"}),
        "supported_parameters": frozenset({"max_tokens", "temperature", "tools"}),
        "tokenizer": "",
        "hugging_face_id": "",
        "is_moderated": False,
        "knowledge_cutoff": None,
        "expiration_date": None,
        "offers": offers or (make_offer(slug),),
        "unusable": "",
        "rates": make_rates(),
    }
    return Model(**defaults | fields)


def make_catalogue(*models: Model) -> Catalogue:
    by_name = {name: model for model in models for name in model.names}
    return Catalogue({model.slug: model for model in models}, by_name, models)


def make_account(settings: SavedSettings | None = None, **fields: Any) -> Account:
    defaults = {
        "user_id": 1,
        "key_id": 1,
        "key_name": "Laptop",
        "limit": None,
        "limit_reset": "",
        "credit": None,
        "settings": settings,
        "read_at": 0.0,
        "expires_at": None,
    }
    return Account(**defaults | fields)


def make_settings(**fields: Any) -> SavedSettings:
    defaults = {
        "enabled": True,
        "allowed_models": (),
        "excluded_models": (),
        "tradeoff": 7,
        "prevent_overrides": False,
    }
    return SavedSettings(**defaults | fields)


def make_completion(headers: Mapping[str, str] | None = None, **fields: Any) -> Completion:
    """A request as parsed; a field that is None counts as absent."""
    return parse(make_body(**fields), headers or {})


def make_body(**fields: Any) -> bytes:
    return orjson.dumps({"model": "openrouter/auto", "messages": HELLO} | fields)
