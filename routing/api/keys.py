"""GET /api/v1/key: limits and usage of the key that asks."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.http import JsonResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.views import APIView

from activity.models import Spend
from routing.models import ApiKey

USAGE = {"": "total", "_daily": "daily", "_weekly": "weekly", "_monthly": "monthly"}


class KeyView(APIView):
    """The calling key, in the shape that the strict SDKs check."""

    def get(self, request: Request) -> JsonResponse:
        return JsonResponse({"data": key_entry(request.auth)})


def key_entry(key: ApiKey) -> dict[str, Any]:
    spent = Spend.objects.of_key(key.id).spent_by_kind(timezone.now())
    usage = {f"usage{suffix}": float(spent[kind]) for suffix, kind in USAGE.items()}
    remaining = None
    if key.limit is not None:
        remaining = float(max(key.limit - spent[key.limit_reset or "total"], Decimal(0)))
    return {
        "label": key.label,
        "name": key.name,
        "hash": key.digest,
        "disabled": key.disabled,
        "limit": None if key.limit is None else float(key.limit),
        "limit_remaining": remaining,
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
        "workspace_id": None,
        "budgets": [],
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()
