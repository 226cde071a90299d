from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone

from activity import retention
from activity.models import Attempt, Generation, Rejection, Spend
from activity.tasks import delete_old
from autorouter_site.tasks import delete_expired_sessions
from tests.factories import make_attempt, make_generation, make_user


def ago(days: float) -> Any:
    return timezone.now() - timedelta(days=days)


def make_spend(period: str, days: float, reserved: str = "0") -> Spend:
    """What a key spent in a period, last changed so long ago."""
    fields = {"owner": "key:1", "period": period, "updated_at": ago(days)}
    return Spend.objects.create(**fields, spent=Decimal(1), reserved=Decimal(reserved))


def make_rejection(days: float) -> Rejection:
    fields = {"day": ago(days).date(), "key_id": 1, "user_id": 1, "code": 400, "count": 3}
    return Rejection.objects.create(**fields, error_type="invalid_request")


def test_old_requests_go_with_their_attempts(db: None) -> None:
    old, new = make_generation(created_at=ago(31)), make_generation(created_at=ago(29))
    make_attempt(old)
    kept = make_attempt(new)

    assert retention.delete_older_than(30) == 1

    assert list(Generation.objects.all()) == [new]
    assert list(Attempt.objects.all()) == [kept]


def test_a_request_that_is_open_stays(db: None) -> None:
    row = make_generation(created_at=ago(400), status="open", settled_at=None)

    retention.delete_older_than(1)

    assert list(Generation.objects.all()) == [row]


def test_old_refusals_go(db: None) -> None:
    make_rejection(32)
    kept = make_rejection(29)

    retention.delete_older_than(30)

    assert list(Rejection.objects.all()) == [kept]


def test_what_a_limit_needs_stays(db: None) -> None:
    make_spend("2026-01", days=40)
    kept = [make_spend("total", 400), make_spend("2026-02", 40, "0.5"), make_spend("2026-03", 31)]

    retention.delete_older_than(1)

    assert list(Spend.objects.order_by("pk")) == kept


def test_many_go_batch_by_batch(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH_ROWS", 2)
    user = make_user()
    rows = [make_generation(user, created_at=ago(31)) for _ in range(5)]

    assert retention.delete_older_than(30) == len(rows)


def test_what_takes_too_long_goes_on_the_next_day(db: None) -> None:
    make_generation(created_at=ago(31))

    assert retention.delete_older_than(30, run_seconds=0) == 0


@pytest.mark.parametrize(("days", "left"), [(0, 1), (400, 1), (30, 0)])
def test_the_operator_says_how_long(db: None, settings: Any, days: int, left: int) -> None:
    settings.AUTOROUTER_RETENTION_DAYS = days
    make_generation(created_at=ago(31))

    delete_old()

    assert Generation.objects.count() == left


def test_expired_sessions_go(db: None) -> None:
    Session.objects.create(session_key="old", session_data="", expire_date=ago(1))
    kept = Session.objects.create(session_key="new", session_data="", expire_date=ago(-1))

    delete_expired_sessions()

    assert list(Session.objects.all()) == [kept]


def test_rows_to_delete_are_found_by_their_time(db: None) -> None:
    rows = Generation.objects.finished().older_than(timedelta(days=30))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")

    assert "generation_by_time" in rows.values_list("pk")[:1000].explain()
