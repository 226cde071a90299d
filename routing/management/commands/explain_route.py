"""Explains on the terminal how a prompt would be routed; needs no database."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from routing.engine.evaluation.receipt import read_candidates, receipt
from routing.engine.selection import DEFAULT_TRADEOFF

MODELS = Path(__file__).resolve().parents[2] / "data" / "models.json"


class Command(BaseCommand):
    help = "Show what a prompt is taken for, what each model would do, and which one is picked."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("prompt", help="What the user says.")
        parser.add_argument(
            "--tradeoff",
            type=int,
            default=DEFAULT_TRADEOFF,
            help="0 for the best quality to 10 for the lowest cost (7).",
        )
        parser.add_argument(
            "--model-pool",
            action="append",
            default=[],
            metavar="PATTERN",
            help='Only models that fit, such as "anthropic/*"; may be given again.',
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            candidates = read_candidates(MODELS, options["model_pool"])
            text = "\n".join(receipt(options["prompt"], candidates, options["tradeoff"]))
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(text)
