"""The served ledger: what this upstream did, whatever anyone else believes."""

import json
import os
import time
from pathlib import Path
from typing import Any

from tests.faults.attempt import Attempt


class Ledger:
    """A file with a line when an attempt begins and another when it ends, each on the disk."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("a")

    def begin(self, attempt: Attempt) -> None:
        self.write(attempt, closed_by=None)

    def end(self, attempt: Attempt, closed_by: str) -> None:
        self.write(attempt, closed_by=closed_by)

    def write(self, attempt: Attempt, closed_by: str | None) -> None:
        line = {
            "number": attempt.number,
            "attempt_id": attempt.request.headers.get("x-attempt-id"),
            "script": attempt.script,
            "prompt_tokens": attempt.prompt_tokens,
            "completion_tokens_written": attempt.completion_tokens_written,
            "usage_reported": attempt.usage_reported,
            "closed_by": closed_by,
            "ended": closed_by is not None,
            "at": time.time(),
        }
        self.file.write(json.dumps(line) + "\n")
        self.file.flush()
        os.fsync(self.file.fileno())


def read_ledger(path: Path) -> list[dict[str, Any]]:
    """Give one row per attempt, in the order they began, as it was last written.

    A last line that a crash cut short is left out.
    """
    rows: dict[int, dict[str, Any]] = {}
    for line in path.read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            row = json.loads(line)
            rows[row["number"]] = row
    return list(rows.values())
