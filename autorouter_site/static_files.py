"""Static files as whole answers, which Django's ASGI handler sends without a word."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware


class StaticFiles(WhiteNoiseMiddleware):
    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:
        """Read the file at once: of a plain iterator the handler does the same, and warns."""
        streamed = WhiteNoiseMiddleware.serve(static_file, request)
        whole = HttpResponse(b"".join(streamed), status=streamed.status_code)
        streamed.close()
        whole.headers = streamed.headers
        return whole
