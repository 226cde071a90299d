"""Any other path of the API: a 404 that a program can read."""

from rest_framework.request import Request
from rest_framework.views import APIView

from routing.errors import NotFound

KNOWN = "POST chat/completions, GET models, GET models/SLUG, GET key, GET generation?id="


class UnknownView(APIView):
    """Answers every method of every unknown path alike."""

    authentication_classes = ()
    permission_classes = ()

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        raise NotFound(f"{request.path[:200]} does not exist; this API has {KNOWN}.")
