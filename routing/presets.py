"""The models and providers that come with the product, written to the tables from data/*.json.

Loading again updates the facts of the files and leaves alone what an operator owns: what is
switched on, what is in the auto pool, credentials, and any price set by hand. A name that its
provider has retired, such as OpenRouter's of a model past its expiration date, is loaded switched
off, so that it can be seen and asked about but never called; other providers, the demo provider
too, may still serve that model.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from routing.catalog import DEMO, base_url_of, rates_of
from routing.models import Endpoint, LanguageModel, Price, Provider
from routing.pricing import Rates

DATA = Path(__file__).resolve().parent / "data"
COPIED = (
    *("canonical_slug", "alias", "name", "context_length", "max_output_tokens", "tokenizer"),
    *("input_modalities", "output_modalities", "supported_parameters", "hugging_face_id"),
    "is_moderated",
)
# Names of a provider's own for what a model's list calls otherwise.
LISTED_AS = {
    "max_completion_tokens": "max_tokens",
    "reasoning_effort": "reasoning",
    "parallel_tool_calls": "tools",
}


@dataclass(slots=True)
class Loaded:
    """How many rows a load wrote, and the endpoints whose hand-set price it left alone."""

    models: int = 0
    providers: int = 0
    endpoints: int = 0
    prices: int = 0
    kept: list[str] = field(default_factory=list)


@transaction.atomic
def load() -> Loaded:
    """Bring the tables up to the files, all or nothing."""
    loaded = Loaded()
    load_models(loaded)
    load_providers(loaded)
    return loaded


def load_models(loaded: Loaded) -> None:
    """Create or update the models; only a new one enters the auto pool."""
    rows = {row.slug: row for row in LanguageModel.objects.all()}
    for entry in _read("models.json")["models"]:
        slug = entry["slug"]
        row = rows.get(slug) or LanguageModel(slug=slug, in_auto_pool=True)
        loaded.models += _write(row, _model_facts(entry))


def load_providers(loaded: Loaded) -> None:
    """Create or update providers, endpoints and prices; the demo's only where it has an address."""
    catalogue = {entry["slug"]: entry for entry in _read("models.json")["models"]}
    rows = {row.slug: row for row in LanguageModel.objects.all()}
    providers = {row.slug: row for row in Provider.objects.all()}
    existing = {
        (row.provider_id, row.model_id, row.upstream_model): row
        for row in Endpoint.objects.prefetch_related("prices")
    }
    for preset in _read("providers.json")["providers"]:
        if preset["slug"] == DEMO and not settings.AUTOROUTER_DEMO_UPSTREAM:
            continue
        provider = providers.get(preset["slug"]) or Provider(slug=preset["slug"])
        loaded.providers += _write(provider, _provider_facts(preset, provider))
        for entry in _endpoints(preset, catalogue):
            model = rows[entry["model"]]
            key = (provider.id, model.id, entry["upstream_model"])
            endpoint = existing.get(key) or _new_endpoint(provider, model, entry)
            loaded.endpoints += _write(endpoint, _endpoint_facts(preset, entry, model))
            _price(endpoint, entry.get("prices", catalogue[model.slug]["prices"]), loaded)


def _read(name: str) -> dict[str, Any]:
    return json.loads((DATA / name).read_text(encoding="utf-8"))


def _write(row: models.Model, facts: dict[str, Any]) -> bool:
    """Save the facts if one differs, so that a second load writes and announces nothing."""
    is_new = row.pk is None
    if not is_new and all(getattr(row, name) == value for name, value in facts.items()):
        return False
    for name, value in facts.items():
        setattr(row, name, value)
    # Only the facts: an operator may be changing the rest at this moment.
    row.save(update_fields=None if is_new else list(facts))
    return True


def _model_facts(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: entry[name] for name in COPIED},
        "created": datetime.fromtimestamp(entry["created"], UTC),
        "knowledge_cutoff": _date(entry["knowledge_cutoff"]),
        "expiration_date": _date(entry["expiration_date"]),
    }


def _provider_facts(preset: dict[str, Any], provider: Provider) -> dict[str, Any]:
    return {
        "name": preset["name"],
        "base_url": preset.get("base_url") or base_url_of(provider),
        "environment_variable": preset.get("environment_variable", ""),
        "needs_credential": preset.get("needs_credential", True),
        "cached_in_prompt": preset.get("cached_in_prompt", True),
        "cancel_stops_billing": preset["cancel_stops_billing"],
        "source": preset.get("source", ""),
    }


def _endpoints(preset: dict[str, Any], catalogue: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The endpoints of a preset: those it lists and, where it serves all, the rest by a rule."""
    yield from preset["endpoints"]
    if "serves_all_under" not in preset:
        return
    listed = {entry["model"] for entry in preset["endpoints"]}
    for slug, model in catalogue.items():
        if slug not in listed:
            name = model[preset["serves_all_under"]] or slug
            yield {"model": slug, "upstream_model": name, "source": preset.get("source", "")}


def _new_endpoint(provider: Provider, model: LanguageModel, entry: dict[str, Any]) -> Endpoint:
    retired = _date(entry.get("retired"))
    return Endpoint(
        provider=provider,
        model=model,
        upstream_model=entry["upstream_model"],
        enabled=retired is None or retired > timezone.now().date(),
    )


def _endpoint_facts(
    preset: dict[str, Any], entry: dict[str, Any], model: LanguageModel
) -> dict[str, Any]:
    read = preset.get("supported_parameters")
    return {
        "source": entry["source"],
        "context_length": entry.get("context_length"),
        "max_output_tokens": entry.get("max_output_tokens"),
        "supported_parameters": read
        and [name for name in read if {name, LISTED_AS.get(name)} & {*model.supported_parameters}],
    }


def _price(endpoint: Endpoint, prices: dict[str, Any], loaded: Loaded) -> None:
    """Add the file's price if it is new to the file and no operator has set another since."""
    rates = _rates(prices)
    history = list(endpoint.prices.all())
    last = next((price for price in history if price.origin == Price.Origin.CATALOGUE), None)
    if last and rates_of(last) == rates:
        return
    if history and history[0].origin == Price.Origin.OPERATOR:
        loaded.kept.append(str(endpoint))
        return
    Price.objects.create(endpoint=endpoint, origin=Price.Origin.CATALOGUE, **asdict(rates))
    loaded.prices += 1


def _rates(prices: dict[str, Any]) -> Rates:
    """Amounts are strings in the file, the threshold of a long context is a number."""
    return Rates(
        **{
            name: Decimal(value) if isinstance(value, str) else value
            for name, value in prices.items()
        }
    )


def _date(value: str | None) -> date | None:
    return date.fromisoformat(value) if value else None
