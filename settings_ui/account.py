"""Signing in and out, one's password, and the colours of the pages."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from settings_ui import throttle

THEMES = ("system", "light", "dark")
THEME_COOKIE_SECONDS = 365 * 24 * 3600


class SignInForm(AuthenticationForm):
    """User name and password, with a bound on guesses."""

    error_messages = {
        "invalid_login": "That user name and password do not go together. Check both.",
        "inactive": "That user name and password do not go together. Check both.",
        "throttled": "Too many attempts. Wait five minutes and try again.",
    }

    def clean(self) -> dict[str, Any]:
        username = self.cleaned_data.get("username")
        if not username or not self.cleaned_data.get("password"):
            # Nothing is guessed: the fields have errors of their own.
            return self.cleaned_data
        address = throttle.address_of(self.request)
        if not throttle.allow(username, address):
            raise ValidationError(self.error_messages["throttled"], code="throttled")
        cleaned = super().clean()
        throttle.forget(username, address)
        return cleaned


class SignIn(LoginView):
    template_name = "account/sign_in.html"
    form_class = SignInForm
    redirect_authenticated_user = True

    def form_invalid(self, form: SignInForm) -> HttpResponse:
        response = super().form_invalid(form)
        if form.has_error("__all__", "throttled"):
            response.status_code = 429
            response["Retry-After"] = str(throttle.WINDOW_SECONDS)
        return response


class SignOut(LogoutView):
    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest) -> HttpResponse:
        """Whoever typed the address stays signed in: a link elsewhere could name it too."""
        return redirect("activity")


class ChangePassword(PasswordChangeView):
    template_name = "account/password.html"
    success_url = reverse_lazy("password")

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, "Your password is changed. Other devices are signed out.")
        return super().form_valid(form)


@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_by_link(
    request: HttpRequest, token: str, read: Callable[[str], AbstractBaseUser | None]
) -> HttpResponse:
    """Sign in on POST alone, so that the preview of a link does not use it up."""
    user = read(token)
    if user is None:
        return render(request, "account/sign_in_link.html", status=410)
    if request.method != "POST":
        return render(request, "account/sign_in_link.html", {"link_user": user})
    login(request, user)
    return redirect("activity")


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Keep the colours in a cookie: the server writes them into the page, so nothing flashes."""
    back = request.POST.get("next", "")
    response = redirect(back if _is_ours(request, back) else "activity")
    chosen = request.POST.get("theme", "")
    if chosen in THEMES:
        response.set_cookie(
            "theme", chosen, THEME_COOKIE_SECONDS, samesite="Lax", secure=request.is_secure()
        )
    return response


def _is_ours(request: HttpRequest, url: str) -> bool:
    # What begins otherwise could be the name of a view to redirect().
    return url.startswith("/") and url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
