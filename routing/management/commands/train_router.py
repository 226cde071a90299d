"""Makes the router's artefact anew from labelled and graded prompts, or judges how it is made."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from routing.engine import heads
from routing.engine.evaluation.text import group_lines
from routing.engine.training import holding_out, recipe


def judged(trial: holding_out.Trial, held_out: str) -> Iterator[holding_out.Verdict]:
    if held_out == "languages":
        return holding_out.judge_languages(trial, holding_out.in_parallel(trial))
    return holding_out.judge_sources(trial)


class Command(BaseCommand):
    help = "Train the router on DATA_DIR (labels, prompts and scores); see the model card."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("data_dir", type=Path)
        parser.add_argument("--output", type=Path, default=heads.FOLDER)
        parser.add_argument(
            "--hold-out",
            choices=("sources", "languages", "datasets"),
            help="Write nothing: say how well prompts of what was left out of training are read.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._run(**options)
        except FileNotFoundError as error:
            missing = (
                f"{error.filename} is not there; routing/engine/MODEL_CARD.md lists the files."
            )
            raise CommandError(missing) from error

    def _run(self, **options: Any) -> None:
        if options["hold_out"] == "datasets":
            groups = holding_out.judge_data_sets(options["data_dir"])
            self.stdout.write("\n".join(group_lines(groups)))
            return
        if options["hold_out"]:
            trial = holding_out.prepare(options["data_dir"])
            for one in judged(trial, options["hold_out"]):
                figures = f"{one.n:6d}  right {one.accuracy:6.1%}  ECE {one.ece:.3f}"
                self.stdout.write(f"{one.name:22s}{figures}")
            return
        version = recipe.train(options["data_dir"], options["output"])
        self.stdout.write(f"Wrote {version} to {options['output']}.")
