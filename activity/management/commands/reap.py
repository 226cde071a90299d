"""Ends the open rows of processes that died."""

from typing import Any

from django.core.management.base import BaseCommand

from activity.reaper import reap


class Command(BaseCommand):
    help = "End the open rows of web processes that died; Celery does the same every ten seconds."

    def handle(self, *args: Any, **options: Any) -> None:
        ended = reap()
        self.stdout.write(f"{ended} open generations of ended processes are now interrupted.")
