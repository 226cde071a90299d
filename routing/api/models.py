"""GET /api/v1/models: what can be asked for, in OpenRouter's shape."""

from collections.abc import Mapping
from typing import Any

from django.http import JsonResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from routing import fields
from routing.catalog import Model, read_catalogue
from routing.pricing import Rates

# Clients read the price of a router as -1: only its answers have a price.
AUTO_ROUTER = {
    "id": "openrouter/auto",
    "canonical_slug": "openrouter/auto",
    "hugging_face_id": None,
    "name": "Auto Router",
    "created": 1699401600,
    "description": "Analyses each prompt and routes it to one of the models below; the answer's "
    "`model` says which one, and that model's price is charged.",
    "context_length": 2_000_000,
    "architecture": {
        "modality": "text+image+file+audio+video->text",
        "input_modalities": ["text", "image", "file", "audio", "video"],
        "output_modalities": ["text"],
        "tokenizer": "Router",
        "instruct_type": None,
    },
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
    "links": {"details": "/api/v1/models"},
}
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


class ModelsView(APIView):
    """The router and every model of the catalogue; a key is welcome and not needed."""

    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request) -> JsonResponse:
        models = list(read_catalogue().models.values())
        entries = [_router_entry(models), *(model_entry(model) for model in models)]
        offset = _whole_number(request.query_params, "offset", 0)
        limit = _whole_number(request.query_params, "limit", MOST)
        page = entries[offset : offset + limit]
        following = f"{request.path}?offset={offset + limit}&limit={limit}"
        links = {"next": following if page and offset + limit < len(entries) else None}
        return JsonResponse(
            {"object": "list", "data": page, "total_count": len(entries), "links": links}
        )


def model_entry(model: Model) -> dict[str, Any]:
    """One model in the shape that the strict SDKs check."""
    order = ("text", "image", "file", "audio", "video")
    inputs = [kind for kind in order if kind in model.input_modalities]
    outputs = [kind for kind in order if kind in model.output_modalities]
    return {
        "id": model.slug,
        "object": "model",
        "canonical_slug": model.canonical_slug,
        "hugging_face_id": model.hugging_face_id or None,
        "name": model.name,
        "created": model.created,
        "description": model.unusable or f"{model.name}, served by {_providers(model)}.",
        "context_length": model.context_length,
        "architecture": {
            "modality": f"{'+'.join(inputs)}->{'+'.join(outputs)}",
            "input_modalities": inputs,
            "output_modalities": outputs,
            "tokenizer": model.tokenizer or "Other",
            "instruct_type": None,
        },
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
        "links": {"details": f"/api/v1/models?id={model.slug}"},
    }


def _router_entry(models: list[Model]) -> dict[str, Any]:
    parameters = {name for model in models for name in model.supported_parameters}
    return AUTO_ROUTER | {"object": "model", "supported_parameters": sorted(parameters)}


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
        fields.refuse(name, text, f"an integer from 0 to {MOST}")
    return min(int(text), MOST)
