"""A 503 that says to try again: JSON to clients of the API, a page to everyone else."""

from django.http import HttpResponse
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
