"""What the log needs now and then, run by Celery; each may run twice."""

from celery import shared_task
from django.conf import settings

from activity import reaper, retention


@shared_task
def reap() -> None:
    """End the rows of workers that died."""
    reaper.reap()


@shared_task
def delete_old() -> None:
    """Delete what is older than AUTOROUTER_RETENTION_DAYS."""
    retention.delete_older_than(settings.AUTOROUTER_RETENTION_DAYS)
