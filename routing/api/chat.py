"""POST /api/v1/chat/completions."""

from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from routing import wire
from routing.api.app import APP_HEADERS, app_name
from routing.apiview import AsyncAPIView
from routing.completion import METADATA_HEADER, SESSION_HEADERS, parse
from routing.decision import Decision, decide
from routing.errors import ApiError
from routing.relay import Exchange
from routing.streaming import EventStreamResponse

# The headers that say something of a completion, by their names in META; request.headers would
# build a mapping of all there are.
HEADERS = {
    f"HTTP_{name.upper().replace('-', '_')}": name
    for name in (*SESSION_HEADERS, METADATA_HEADER, *APP_HEADERS)
}


class ChatCompletionsView(AsyncAPIView):
    """Routes a completion and relays its answer, as JSON or as events."""

    async def post(self, request: Request) -> HttpResponseBase:
        meta = request.META
        headers = {name: meta[key] for key, name in HEADERS.items() if key in meta}
        completion = parse(request.content, headers)
        decision = await decide(request.process, request.user, completion)
        exchange = Exchange(request.process, request.user, decision, completion)
        answer = exchange.parts(app_name(headers))
        try:
            if completion.stream:
                # Until the first part is out, a failure can still be a status code.
                first = await anext(answer)
                return EventStreamResponse(first, answer, exchange.generation_id)
            body = b"".join([part async for part in answer])
        except ApiError as error:
            if completion.metadata:
                error.openrouter_metadata = _metadata(decision, error)
            raise
        return _json(body, exchange.generation_id)


def _metadata(decision: Decision, error: ApiError) -> dict[str, Any] | None:
    """How far a request came that failed; OpenRouter leaves it out of a 429 and a 500."""
    if error.status in (429, 500):
        return None
    attempts = len(error.metadata.get("previous_errors", ()))
    return wire.metadata(decision.receipt, decision.offers, None, attempts)


def _json(body: bytes, generation_id: str) -> HttpResponse:
    response = HttpResponse(body, content_type="application/json")
    response["Cache-Control"] = "no-store"
    response["X-Generation-Id"] = generation_id
    return response
