"""The Activity pages: what was asked and what it cost."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from activity import paging, receipt
from activity.breakdown import Line, break_down
from activity.export import csv_parts
from activity.filters import PERIODS, ActivityFilters, OwnKeys
from activity.models import Generation, Rejection


@login_required
@require_safe
def activity(request: HttpRequest) -> HttpResponse:
    own = Generation.objects.owned_by(request.user)
    senders = own.recent().senders()
    filters = ActivityFilters(request.GET, senders, _own_keys(request.user))
    selected = filters.select(own)
    step = filters.chosen.step
    breakdown = break_down(list(selected.sums(step)), step, filters.since, filters.now)
    page = paging.page_of(request, selected)
    context = {
        "section": "activity",
        "filters": filters,
        "totals": _with_rates(breakdown.totals),
        "breakdown": breakdown,
        "step": filters.chosen.step_label,
        "page": page,
        "is_past_end": bool(breakdown.lines and not page.rows),
        "refused": filters.select_refused(Rejection.objects.owned_by(request.user)),
        "is_new": not page.rows and not own.exists(),
        "api_url": request.build_absolute_uri("/api/v1"),
        **_links(request, filters, page, breakdown.lines),
    }
    return render(request, "activity/list.html", context)


@login_required
@require_safe
def export(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    filters = ActivityFilters(request.GET)
    if not filters.is_valid():
        messages.error(request, "Nothing was exported: correct the filters below first.")
        return redirect(f"/activity?{request.GET.urlencode()}")
    selected = filters.select(Generation.objects.owned_by(request.user))
    name = f"activity-{timezone.now():%Y-%m-%d}.csv"
    return StreamingHttpResponse(
        csv_parts(selected),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@login_required
@require_safe
def generation(request: HttpRequest, generation_id: str) -> HttpResponse:
    own = Generation.objects.owned_by(request.user)
    row = get_object_or_404(own, pk=generation_id)
    lines = receipt.cost_lines(row.cost_lines)
    context = {
        "section": "activity",
        "generation": row,
        "receipt": receipt.read(row.decision),
        "attempts": row.attempt_set.all(),
        "cost_lines": lines,
        "cost_total": receipt.total(lines),
        "prices": receipt.prices(row.prices),
        "newer": own.after(row.created_at, row.pk).oldest_first().first(),
        "older": own.before(row.created_at, row.pk).newest_first().first(),
    }
    return render(request, "activity/detail.html", context)


def _own_keys(user: Any) -> OwnKeys:
    """The keys of a user, used or not: the relation spares us routing's models."""
    return user.apikey_set.values_list("id", "name", "label")


def _with_rates(totals: dict[str, Any]) -> dict[str, Any]:
    rate = totals["errors"] / totals["requests"] if totals["requests"] else 0
    tokens = totals["prompt"] + totals["completion"]
    return {**totals, "tokens": tokens, "error_rate": f"{rate:.1%}"}


def _links(
    request: HttpRequest, filters: ActivityFilters, page: paging.Page, lines: Sequence[Line]
) -> dict[str, Any]:
    """The queries of the links on the list; each keeps the filters."""
    return {
        "periods": [
            (period.label, _query(request, period=name), name == filters.period_name)
            for name, period in PERIODS.items()
        ],
        "of_models": [
            (line, _query(request, model=line.models[0]) if len(line.models) == 1 else "")
            for line in lines
        ],
        "newer": page.newer and _query(request, after=page.newer),
        "older": page.older and _query(request, before=page.older),
        "newest_query": _query(request),
    }


def _query(request: HttpRequest, **changes: str) -> str:
    """The filters of this URL without its cursor, and with the changes."""
    query = request.GET.copy()
    for cursor in ("before", "after"):
        query.pop(cursor, None)
    for name, value in changes.items():
        query[name] = value
    return query.urlencode()
