"""POST /api/v1/chat/completions."""

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from routing.api.app import app_name
from routing.apiview import AsyncAPIView
from routing.completion import parse
from routing.decision import decide
from routing.relay import Exchange
from routing.streaming import EventStreamResponse


class ChatCompletionsView(AsyncAPIView):
    """Routes a completion and relays its answer, as JSON or as events."""

    async def post(self, request: Request) -> HttpResponseBase:
        completion = parse(request.content, request.headers)
        decision = await decide(request.process, request.user, completion)
        exchange = Exchange(request.process, request.user, decision, completion)
        answer = exchange.parts(app_name(request.headers))
        if completion.stream:
            # Until the first part is out, a failure can still be a status code.
            first = await anext(answer)
            return EventStreamResponse(first, answer, exchange.generation_id)
        body = b"".join([part async for part in answer])
        return _json(body, exchange.generation_id)


def _json(body: bytes, generation_id: str) -> HttpResponse:
    response = HttpResponse(body, content_type="application/json")
    response["Cache-Control"] = "no-store"
    response["X-Generation-Id"] = generation_id
    return response
