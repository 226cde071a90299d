"""What the site needs now and then, run by Celery; each may run twice."""

from celery import shared_task
from django.core.management import call_command


@shared_task
def delete_expired_sessions() -> None:
    """Forget sign-ins that ran out; a browser that comes back with one signs in anew anyway."""
    call_command("clearsessions")
