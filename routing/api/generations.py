"""GET /api/v1/generation?id=: one generation of the calling user."""

from typing import Any

from django.http import JsonResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from activity.models import Attempt, Generation
from routing import fields
from routing.errors import InvalidRequest, NotFound

LONGEST_ID = 64
# Keys of the documented shape that this server has nothing to say about.
UNKNOWN = (
    "app_id",
    "moderation_latency",
    "service_tier",
    "native_tokens_completion_images",
    "num_media_prompt",
    "num_input_audio_prompt",
    "num_media_completion",
    "num_search_results",
    "num_fetches",
    "web_search_engine",
    "preset_id",
    "user_agent",
    "http_referer",
    "workspace_id",
    "upstream_inference_cost",
    "cache_discount",
)


class GenerationView(APIView):
    """A generation by its id; somebody else's is as absent as one that never was."""

    def get(self, request: Request) -> JsonResponse:
        generation_id = request.query_params.get("id", "")
        if not generation_id:
            raise InvalidRequest("id is missing; send ?id=gen-...", param="id")
        fields.text("id", generation_id, LONGEST_ID)
        owned = Generation.objects.owned_by(request.user).filter(id=generation_id)
        generation = owned.prefetch_related("attempt_set").first()
        if generation is None:
            raise NotFound(f"No generation {generation_id} of yours.")
        return JsonResponse({"data": generation_entry(generation)})


def generation_entry(generation: Generation) -> dict[str, Any]:
    first, whole = generation.first_token_ms, generation.latency_ms
    is_router = generation.requested_model.startswith("openrouter/")
    return dict.fromkeys(UNKNOWN) | {
        "id": generation.id,
        "upstream_id": generation.upstream_id or None,
        "request_id": generation.id,
        "total_cost": float(generation.cost),
        "usage": float(generation.cost),
        "created_at": generation.created_at.isoformat(),
        "model": generation.model,
        "router": generation.requested_model if is_router else None,
        "status": generation.status,
        "streamed": generation.streamed,
        "cancelled": generation.status == Generation.Status.CANCELLED,
        "provider_name": generation.provider or None,
        "latency": whole if first is None else first,
        "generation_time": whole,
        "finish_reason": generation.finish_reason or None,
        "native_finish_reason": generation.native_finish_reason or None,
        "tokens_prompt": generation.prompt_tokens,
        "tokens_completion": generation.completion_tokens,
        "native_tokens_prompt": generation.prompt_tokens,
        "native_tokens_completion": generation.completion_tokens,
        "native_tokens_reasoning": generation.reasoning_tokens,
        "native_tokens_cached": generation.cached_tokens,
        "origin": generation.app,
        "is_byok": False,
        "external_user": generation.end_user or None,
        "api_type": "completions",
        "data_region": "global",
        "session_id": generation.session or None,
        "provider_responses": [_attempt(one) for one in generation.attempt_set.all()],
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "endpoint_id": None,
        "id": str(attempt),
        "is_byok": False,
        "latency": attempt.latency_ms,
        "model_permaslug": attempt.model,
        "provider_name": attempt.provider,
        "status": attempt.http_status,
    }
