"""A DRF view whose handlers may await, without thread hops."""

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.views import APIView

from routing import errors
from routing.authentication import authenticate
from routing.snapshot import Account


class AsyncAPIView(APIView):
    """Dispatches on the event loop: its checks are cheap, and DRF itself does not await handlers.

    A key is known to be good before one byte of the body is read. The request comes from
    autorouter_site.lean, which gives it `process` and `body_reader`.
    """

    async def dispatch(  # type: ignore[override]
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        account: Account | None = None
        try:
            if request.method != "POST":
                raise errors.MethodNotAllowed(f"{request.method} is not allowed; send POST.")
            header = request.META.get("HTTP_AUTHORIZATION", "")
            account = await authenticate(request.process.snapshot, header)
            self.request = Request(request)
            # It names the request itself: body and connection would stay until the garbage goes.
            self.request.parser_context.clear()
            self.request.user = account
            self.request.content = await request.body_reader.read(request.META)
            return await self.post(self.request)
        except Exception as error:  # noqa: BLE001 - each kind has its answer
            return self._answer(request, account, error)

    def _answer(
        self, request: HttpRequest, account: Account | None, error: Exception
    ) -> HttpResponseBase:
        known = errors.as_api_error(error)
        if account is not None and not known.generation_id:
            writer = request.process.writer
            writer.reject(account.key_id, account.user_id, known.status, known.error_type)
        response = self.settings.EXCEPTION_HANDLER(known, {"view": self})
        if known.status == 405:
            response["Allow"] = "POST"
        return response
