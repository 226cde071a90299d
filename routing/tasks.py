"""What routing needs now and then, run by Celery; each may run twice."""

from celery import shared_task

from routing.models import Pin


@shared_task
def delete_expired_pins() -> None:
    """Forget sessions that have been idle for too long."""
    Pin.objects.expired().delete()
