"""Loads the models and providers that come with the product; may be run again at any time."""

from typing import Any

from django.core.management.base import BaseCommand

from routing import presets


class Command(BaseCommand):
    help = "Load models, providers and prices from the repository's files; keeps what you changed."

    def handle(self, *args: Any, **options: Any) -> None:
        loaded = presets.load()
        self.stdout.write(
            f"Wrote {loaded.models} models, {loaded.providers} providers, "
            f"{loaded.endpoints} endpoints and {loaded.prices} prices."
        )
        for endpoint in loaded.kept:
            self.stdout.write(f"Kept your price of {endpoint}; the catalogue has another one.")
