"""Makes the router's artefact anew from labelled and graded prompts."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from routing.engine import heads
from routing.engine.training import recipe


class Command(BaseCommand):
    help = "Train the router on DATA_DIR (labels, prompts and scores); see routing/engine/README."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("data_dir", type=Path)
        parser.add_argument("--output", type=Path, default=heads.FOLDER)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            version = recipe.train(options["data_dir"], options["output"])
        except FileNotFoundError as error:
            missing = f"{error.filename} is not there; routing/engine/README.md lists the files."
            raise CommandError(missing) from error
        self.stdout.write(f"Wrote {version} to {options['output']}.")
