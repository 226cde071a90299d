"""The admin site; its index shows today's requests, cost, errors and providers."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from activity.models import Generation, Rejection
from routing.catalog import read_providers

View = Callable[..., HttpResponse]

TOP_MODELS = 5
NEWEST_ERRORS = 5


class OperatorSite(admin.AdminSite):
    site_header = "Auto Router"
    site_title = "Auto Router admin"
    index_title = "Operation"
    index_template = "admin/operator_index.html"

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
        operation = {
            "today": today,
            "day_query": day_query(today),
            "totals": Generation.objects.since(today).totals(),
            "rejected": rejected_on(today),
            "statuses": by_status(today),
            "top_models": top_models(today),
            "errors": newest_errors(),
            "providers": read_providers(),
        }
        return super().index(request, operation | (extra_context or {}))

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """A page of the admin, whose address holds no NUL: PostgreSQL finds nothing by one."""

        @wraps(view)
        def without_nul(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            values = (value for _, values in request.GET.lists() for value in values)
            if any("\0" in text for text in (request.path, *values)):
                raise Http404
            return view(request, *args, **kwargs)

        return super().admin_view(without_nul, cacheable)

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Send everyone to the one sign-in page, which alone bounds guesses of a password."""
        if self.has_permission(request):
            return redirect("admin:index")
        if request.user.is_authenticated:
            raise PermissionDenied(
                f"The admin is for staff, and {request.user} is not. Sign in as a user who is, or "
                "ask an administrator."
            )
        return redirect_to_login(request.GET.get("next") or reverse("admin:index"))


def day_query(day: datetime) -> str:
    """The filter of a list of requests for one day, spelled as the list's own links do."""
    return urlencode({"created_at__gte": day, "created_at__lt": day + timedelta(days=1)})


def rejected_on(day: datetime) -> int:
    """How many requests were refused that day before they became a generation."""
    return Rejection.objects.filter(day=day.date()).aggregate(sum=Sum("count", default=0))["sum"]


def by_status(since: datetime) -> list[dict[str, Any]]:
    counts = Generation.objects.since(since).values("status").annotate(requests=Count("id"))
    return list(counts.order_by("-requests", "status"))


def top_models(since: datetime) -> list[dict[str, Any]]:
    """The models that answered most, with what they cost."""
    answered = Generation.objects.since(since).exclude(routed_model="").values("routed_model")
    sums = answered.annotate(requests=Count("id"), spent=Sum("cost"))
    return list(sums.order_by("-requests", "routed_model")[:TOP_MODELS])


def newest_errors() -> list[Generation]:
    """The last requests that failed or were cut off, whenever that was."""
    return list(Generation.objects.failed().newest_first()[:NEWEST_ERRORS])
