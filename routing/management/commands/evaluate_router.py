"""Evaluates the router on anyone's graded prompts; needs no database."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from routing.engine.evaluation.data import BadData
from routing.engine.evaluation.report import evaluate_folder, evaluate_groups
from routing.engine.evaluation.split import CALIBRATING
from routing.engine.evaluation.text import group_lines, lines


class Command(BaseCommand):
    help = "Say what the router is worth on your own graded prompts, beside simpler policies."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "dir",
            type=Path,
            metavar="DIR",
            help="Folder with prompts.jsonl[.gz] and scores.csv[.gz], perhaps labels.jsonl[.gz].",
        )
        parser.add_argument(
            "--calibrate",
            type=float,
            default=CALIBRATING,
            metavar="SHARE",
            help="Share of the prompts that the models' abilities are fitted on (%(default)s).",
        )
        parser.add_argument(
            "--pair",
            nargs=2,
            metavar=("STRONG", "WEAK"),
            help="Also route between these two models, with RouteLLM's figures.",
        )
        parser.add_argument("--seed", type=int, default=0, help="Which split of the prompts (0).")
        parser.add_argument("--json", action="store_true", help="End with one line of JSON.")
        parser.add_argument(
            "--by",
            metavar="KEY",
            help="Instead, judge each value of a key, such as dataset, by itself, over five seeds.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["by"] and (options["json"] or options["pair"]):
            raise CommandError("--by prints one table; --json and --pair go without it.")
        if options["seed"] < 0:
            raise CommandError(f"--seed is {options['seed']}; it must be a whole number from 0.")
        try:
            self._evaluate(**options)
        except BadData as error:
            raise CommandError(str(error)) from error

    def _evaluate(self, **options: Any) -> None:
        if options["by"]:
            groups = evaluate_groups(options["dir"], options["by"], calibrate=options["calibrate"])
            self.stdout.write("\n".join(group_lines(groups)))
            return
        pair = options["pair"] and tuple(options["pair"])
        report = evaluate_folder(
            options["dir"], calibrate=options["calibrate"], seed=options["seed"], pair=pair
        )
        self.stdout.write("\n".join(lines(report)))
        if options["json"]:
            self.stdout.write(json.dumps(report.as_json()))
