"""Pages for who is signed in, and a word for who no longer is when their form arrives."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse

View = Callable[..., HttpResponse]

SIGNED_OUT = "You were signed out, so nothing was changed. Sign in and send the form again."


def signed_in(view: View) -> View:
    """login_required; what was typed is lost on the way to the sign-in page, which says so."""
    guarded = login_required(view)

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "POST" and not request.user.is_authenticated:
            messages.warning(request, SIGNED_OUT)
        return guarded(request, *args, **kwargs)

    return answer
