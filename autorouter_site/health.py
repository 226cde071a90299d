"""Whether the process lives and whether it can serve, told to whoever probes."""

from collections.abc import Callable

from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse


def live() -> JsonResponse:
    return JsonResponse({"status": "live"})


def ready() -> JsonResponse:
    """200 while the database answers, else 503."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except OperationalError:
        return JsonResponse({"status": "the database does not answer"}, status=503)
    return JsonResponse({"status": "ready"})


PROBES = {"/livez": live, "/readyz": ready}


def probes(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    """Answers before all other middleware: a probe knows neither our name nor our scheme."""

    def answer(request: HttpRequest) -> HttpResponse:
        probe = PROBES.get(request.path)
        return probe() if probe else get_response(request)

    return answer
