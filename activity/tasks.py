"""What the log needs now and then, run by Celery; each may run twice."""

from celery import shared_task

from activity import reaper


@shared_task
def reap() -> None:
    """End the rows of workers that died."""
    reaper.reap()
