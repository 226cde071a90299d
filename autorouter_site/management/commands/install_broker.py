"""Creates the broker's tables in the database; quickstart does this by itself."""

from typing import Any

from django.core.management.base import BaseCommand

from autorouter_site.broker import install_pgmq, is_pgmq


class Command(BaseCommand):
    help = "Create the tables of the pgmq:// broker. Run once after migrate; again does no harm."

    def handle(self, *args: Any, **options: Any) -> None:
        if not is_pgmq():
            self.stdout.write("CELERY_BROKER_URL names another broker: nothing to install.")
        elif install_pgmq():
            self.stdout.write("Created the broker's tables in the schema pgmq.")
        else:
            self.stdout.write("The broker's tables are there already.")
