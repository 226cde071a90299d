"""GET /api/v1/key: limits and usage of the key that asks."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.http import JsonResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.views import APIView

from activity.models import Spend
from activity.periods import period_ends
from routing.models import ApiKey

USAGE = {"": "total", "_daily": "daily", "_weekly": "weekly", "_monthly": "monthly"}


class KeyView(APIView):
    """The calling key, in the shape that the strict SDKs check."""

    def get(self, request: Request) -> JsonResponse:
        return JsonResponse({"data": key_entry(request.auth)})


def key_entry(key: ApiKey) -> dict[str, Any]:
    now = timezone.now()
    spent = Spend.objects.of_key(key.id).spent_by_kind(now)
    usage = {f"usage{suffix}": float(spent[kind]) for suffix, kind in USAGE.items()}
    budget = _budget(key, spent[key.limit_reset or "total"], now)
    return {
        "label": key.label,
        "name": key.name,
        "hash": key.digest,
        "disabled": key.disabled,
        "limit": None if key.limit is None else float(key.limit),
        "limit_remaining": budget and max(budget["remaining_usd"], 0.0),
        "limit_reset": key.limit_reset or None,
        "include_byok_in_limit": False,
        **usage,
        **{f"byok_{name}": 0 for name in usage},
        "is_free_tier": False,
        "is_management_key": False,
        "is_provisioning_key": False,
        "rate_limit": {"requests": -1, "interval": "10s", "note": "There is no rate limit."},
        "created_at": _iso(key.created_at),
        "updated_at": _iso(key.updated_at),
        "expires_at": _iso(key.expires_at),
        "creator_user_id": str(key.user_id),
        "organization_id": None,
        "workspace_id": None,
        "allowed_data_regions": ["global"],
        # There are no free variants here.
        "free_model_daily_requests": {"limit": 0, "used": 0, "remaining": 0},
        "budgets": [budget] if budget else [],
        "effective_budget": budget,
    }


def _budget(key: ApiKey, spent: Decimal, now: datetime) -> dict[str, Any] | None:
    """The key's own limit as the one budget that it has; a user's credit is told to nobody."""
    if key.limit is None:
        return None
    return {
        "scope": "key_limit",
        "budget_id": None,
        "guardrail_id": None,
        "include_byok": False,
        "limit_usd": float(key.limit),
        "spend_usd": float(spent),
        "remaining_usd": float(key.limit - spent),
        "reset_interval": key.limit_reset or None,
        "resets_at": _iso(period_ends(now).get(key.limit_reset)),
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()
