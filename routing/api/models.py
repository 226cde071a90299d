"""GET /api/v1/models and /api/v1/models/SLUG: what can be asked for, in OpenRouter's shape."""

from collections.abc import Collection, Mapping
from typing import Any

from django.http import JsonResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from routing import fields
from routing.catalog import Catalogue, Model, read_catalogue
from routing.decision import AUTO
from routing.errors import NotFound
from routing.pricing import Rates

# Clients read the price of a router as -1: only its answers have a price.
AUTO_ROUTER = {
    "id": AUTO,
    "object": "model",
    "owned_by": "openrouter",
    "canonical_slug": AUTO,
    "hugging_face_id": None,
    "name": "Auto Router",
    "created": 1699401600,
    "description": "Analyses each prompt and routes it to one of the models below; the answer's "
    "`model` says which one, and that model's price is charged.",
    "pricing": {"prompt": "-1", "completion": "-1"},
    "top_provider": {
        "context_length": None,
        "max_completion_tokens": None,
        "is_moderated": False,
    },
    "per_request_limits": None,
    "default_parameters": None,
    "supported_voices": None,
    "knowledge_cutoff": None,
    "expiration_date": None,
    "links": {"details": f"/api/v1/models/{AUTO}"},
}
# Where the server puts the catalogue that its process knows, for a read that costs no query.
CATALOGUE = "autorouter.catalogue"
MODALITIES = ("text", "image", "file", "audio", "video")
PRICE_NAMES = {
    "prompt": "prompt",
    "completion": "completion",
    "cache_read": "input_cache_read",
    "cache_write": "input_cache_write",
    "audio": "audio",
    "request": "request",
    "web_search": "web_search",
}
MOST = 1000
LONGEST_NUMBER = 18
LONGEST_SHOWN = 200


class ModelsView(APIView):
    """The router and every model of the catalogue; a key is welcome and not needed."""

    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request) -> JsonResponse:
        catalogue = _catalogue_for(request)
        entries = [_router_entry(catalogue), *map(model_entry, catalogue.models.values())]
        offset = _whole_number(request.query_params, "offset", 0)
        limit = min(_whole_number(request.query_params, "limit", MOST), MOST)
        page = entries[offset : offset + limit]
        following = f"{request.path}?offset={offset + limit}&limit={limit}"
        links = {"next": following if page and offset + limit < len(entries) else None}
        return JsonResponse(
            {"object": "list", "data": page, "total_count": len(entries), "links": links}
        )


class ModelView(APIView):
    """One of them, by id, canonical slug or alias; the entry itself, as the OpenAI SDKs read it."""

    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request, slug: str) -> JsonResponse:
        catalogue = _catalogue_for(request)
        if slug.lower() == AUTO:
            return JsonResponse(_router_entry(catalogue))
        model = catalogue.find(slug)
        if model is None:
            raise NotFound(f"{slug[:LONGEST_SHOWN]} is not a model here; GET /models lists them.")
        return JsonResponse(model_entry(model))


def _catalogue_for(request: Request) -> Catalogue:
    """The process's own catalogue; outside of a server process there is none, and it is read."""
    scope = getattr(request, "scope", {})
    return scope.get(CATALOGUE) or read_catalogue()


def model_entry(model: Model) -> dict[str, Any]:
    """One model in the shape that the strict SDKs check."""
    return {
        "id": model.slug,
        "object": "model",
        "owned_by": model.slug.partition("/")[0],
        "canonical_slug": model.canonical_slug,
        "hugging_face_id": model.hugging_face_id or None,
        "name": model.name,
        "created": model.created,
        "description": model.unusable or f"{model.name}, served by {_providers(model)}.",
        "context_length": model.context_length,
        "architecture": _architecture(
            model.input_modalities, model.output_modalities, model.tokenizer
        ),
        "pricing": _pricing(model.rates),
        "top_provider": {
            "context_length": model.context_length,
            "max_completion_tokens": model.max_output_tokens,
            "is_moderated": model.is_moderated,
        },
        "per_request_limits": None,
        "supported_parameters": sorted(model.supported_parameters),
        "default_parameters": None,
        "supported_voices": None,
        "knowledge_cutoff": model.knowledge_cutoff,
        "expiration_date": model.expiration_date,
        "links": {"details": f"/api/v1/models/{model.slug}"},
    }


def _router_entry(catalogue: Catalogue) -> dict[str, Any]:
    """The router, which can do what any model of its pool can that somebody serves."""
    models = [model for model in catalogue.pool if model.offers] or catalogue.pool
    parameters = {name for model in models for name in model.supported_parameters}
    return AUTO_ROUTER | {
        "context_length": max((model.context_length for model in models), default=None),
        "architecture": _architecture(
            {"text"}.union(*(model.input_modalities for model in models)),
            {"text"}.union(*(model.output_modalities for model in models)),
            "Router",
        ),
        "supported_parameters": sorted(parameters),
    }


def _architecture(
    inputs: Collection[str], outputs: Collection[str], tokenizer: str
) -> dict[str, Any]:
    read = [kind for kind in MODALITIES if kind in inputs]
    made = [kind for kind in MODALITIES if kind in outputs]
    return {
        "modality": f"{'+'.join(read)}->{'+'.join(made)}",
        "input_modalities": read,
        "output_modalities": made,
        "tokenizer": tokenizer or "Other",
        "instruct_type": None,
    }


def _providers(model: Model) -> str:
    return ", ".join(sorted({offer.provider_name for offer in model.offers}))


def _pricing(rates: Rates | None) -> dict[str, str]:
    if rates is None:
        return {"prompt": "0", "completion": "0"}
    snapshot = rates.snapshot()
    return {ours: str(snapshot[name]) for name, ours in PRICE_NAMES.items() if name in snapshot}


def _whole_number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER):
        fields.refuse(name, text, "an integer from 0")
    return int(text)
