"""The Celery application and its schedule."""

import os

from celery import Celery
from django.conf import settings

from autorouter_site.broker import transport_options

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "autorouter_site.settings")

DAY_SECONDS = 24 * 3600.0

app = Celery("autorouter_site")
app.conf.update(
    broker_url=settings.CELERY_BROKER_URL,
    broker_transport_options=transport_options(),
    broker_connection_retry_on_startup=True,
    # Remote control makes a queue for each worker, with names that PGMQ refuses as too long.
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    task_ignore_result=True,
    # Every task may run twice, so a worker that dies hands its task back.
    task_acks_late=True,
    timezone="UTC",
    # A run that found no worker in time is dropped: the next one does its work.
    beat_schedule={
        "reap": {
            "task": "activity.tasks.reap",
            "schedule": 10.0,
            "options": {"expires": 10},
        },
        "delete-expired-pins": {
            "task": "routing.tasks.delete_expired_pins",
            "schedule": 60.0,
            "options": {"expires": 60},
        },
        "delete-old": {
            "task": "activity.tasks.delete_old",
            "schedule": DAY_SECONDS,
            "options": {"expires": 3600},
        },
        "delete-expired-sessions": {
            "task": "autorouter_site.tasks.delete_expired_sessions",
            "schedule": DAY_SECONDS,
            "options": {"expires": 3600},
        },
    },
)
app.autodiscover_tasks()
