"""Deletes what is older than the operator wants to keep; by default that is nothing.

Rows go in small batches, each a transaction of its own, so that no request waits for one.
"""

import time
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet

from activity.models import Generation, Rejection, Spend

BATCH_ROWS = 1000
# Celery hands a task out again after half an hour; what is left then goes the next day.
RUN_SECONDS = 20 * 60.0
# The longest period of a limit is a month, so what was last counted in before is over.
LIMIT_DAYS = 32


def delete_older_than(days: int, run_seconds: float = RUN_SECONDS) -> int:
    """Delete finished generations, rejections and spend of that age; how many generations.

    Open generations stay, and so does what a limit looks at: each total, each period that may be
    current, whatever holds a reservation. With 0 days everything stays.
    """
    if days == 0:
        return 0
    deadline = time.monotonic() + run_seconds
    age = timedelta(days=days)
    deleted = _delete(Generation.objects.finished().older_than(age), deadline)
    _delete(Rejection.objects.older_than(age), deadline)
    _delete(Spend.objects.over(max(age, timedelta(days=LIMIT_DAYS))), deadline)
    return deleted


def _delete(rows: QuerySet[Any], deadline: float) -> int:
    """Delete rows, and attempts with their generations, until none is left or time is up."""
    deleted = 0
    while time.monotonic() < deadline:
        ids = list(rows.values_list("pk", flat=True)[:BATCH_ROWS])
        if not ids:
            break
        # The condition once more: a row may have changed meanwhile.
        rows.filter(pk__in=ids).only("pk").delete()
        deleted += len(ids)
    return deleted
