"""API keys as their owner sees them: state, spending in the current period, last use."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils import timezone

from activity.models import Spend
from activity.periods import current_periods
from routing.models import ApiKey

TOTAL = "total"
PERIOD_WORDS = {"daily": "today", "weekly": "this week", "monthly": "this month"}


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A key with what it spent."""

    key: ApiKey
    state: str
    spent: Decimal
    period: str
    last_used: datetime | None


def with_use(keys: Sequence[ApiKey]) -> list[KeyUse]:
    """Add to each key its spending in one query for all of them."""
    now = timezone.now()
    periods = current_periods(now)
    rows = Spend.objects.of_keys([key.pk for key in keys]).in_periods(list(periods.values()))
    spends = {(row.owner, row.period): row for row in rows}
    return [_with_use(key, spends, periods.get(key.limit_reset, TOTAL), now) for key in keys]


def _with_use(
    key: ApiKey, spends: dict[tuple[str, str], Spend], period: str, now: datetime
) -> KeyUse:
    owner = f"key:{key.pk}"
    current, total = spends.get((owner, period)), spends.get((owner, TOTAL))
    spent = current.spent if current else Decimal(0)
    return KeyUse(
        key=key,
        state=_state(key, spent, now),
        spent=spent,
        period=PERIOD_WORDS.get(key.limit_reset, "in all"),
        last_used=total.updated_at if total else None,
    )


def _state(key: ApiKey, spent: Decimal, now: datetime) -> str:
    if key.is_expired(now):
        return "expired"
    if key.disabled:
        return "disabled"
    if key.limit is not None and spent >= key.limit:
        return "exhausted"
    return "active"
