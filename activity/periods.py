"""The UTC periods that limits and sums go by: their names and when they end."""

from datetime import UTC, datetime, timedelta


def current_periods(now: datetime) -> dict[str, str]:
    """The names of the UTC periods that a moment lies in, by kind; ledger.py names them alike."""
    return {
        "daily": f"{now:%Y-%m-%d}",
        "weekly": f"{now:%G-W%V}",
        "monthly": f"{now:%Y-%m}",
        "total": "total",
    }


def period_ends(now: datetime) -> dict[str, datetime]:
    """When those periods end, but for the total, by kind: at midnight UTC, weeks with Sunday."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        "daily": today + timedelta(days=1),
        "weekly": today + timedelta(days=7 - today.weekday()),
        "monthly": (today.replace(day=1) + timedelta(days=32)).replace(day=1),
    }
