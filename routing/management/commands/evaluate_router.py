"""Evaluates the router on anyone's graded prompts; needs no database."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from routing.engine.evaluation import BadData, evaluate, load


class Command(BaseCommand):
    help = "Say what the router is worth on your own graded prompts, beside simpler policies."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dir", type=Path, help="Folder with prompts.jsonl and scores.csv.")
        parser.add_argument("--calibrate", type=float, default=0.3)
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = evaluate(
                load(options["dir"]), calibrate=options["calibrate"], seed=options["seed"]
            )
        except BadData as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(report.as_json()))
