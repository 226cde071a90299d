"""POST /api/v1/chat/completions."""

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from routing.api.app import APP_HEADERS, app_name
from routing.apiview import AsyncAPIView
from routing.completion import METADATA_HEADERS, SESSION_HEADERS, parse
from routing.decision import decide
from routing.relay import Exchange
from routing.streaming import EventStreamResponse

# The headers that say something of a completion, by their names in META; request.headers would
# build a mapping of all there are.
HEADERS = {
    f"HTTP_{name.upper().replace('-', '_')}": name
    for name in (*SESSION_HEADERS, *METADATA_HEADERS, *APP_HEADERS)
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
