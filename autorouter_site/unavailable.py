"""A 503 that says to try again: JSON to clients of the API, a page to everyone else."""

from collections.abc import Callable

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template import loader

from routing import errors

API = ("/api/", "/v1/")


def answer(path: str, error: errors.Unavailable) -> HttpResponse:
    """Needs neither database nor session, so the page looks as to someone not signed in."""
    if f"{path}/".startswith(API):
        return errors.response(error)
    page = loader.render_to_string("503.html", {"message": error.message})
    response = HttpResponse(page, status=error.status)
    response["Cache-Control"] = "no-store"
    response["Retry-After"] = str(error.retry_after)
    return response


class DatabaseErrors:
    """Middleware: what the database kept from its answer is a 503, and no error of ours."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, OperationalError | InterfaceError):
            return answer(request.path, errors.unavailable(error))
        return None
