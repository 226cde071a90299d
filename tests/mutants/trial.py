"""Runs named tests in a tree and says whether they caught what was broken there."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

# The slowest takes 40 s on two busy cores: a fault test waits 15 s for rows that stay open.
DEADLINE_SECONDS = 120.0
ENDING_SECONDS = 15.0
# What a test says that found something out; any other error may be the mutant's own mistake.
FINDINGS = ("assert ", "AssertionError", "Failed: DID NOT RAISE", "TimeoutError")


@dataclass(frozen=True, slots=True)
class Trial:
    """How the named tests ended in one tree."""

    exit_code: int | None
    # Id of the test, "passed", "failure", "error" or "skipped", and what it said.
    cases: tuple[tuple[str, str, str], ...]
    seconds: float = 0
    output: str = ""

    def of(self, test: str) -> list[tuple[str, str]]:
        """How a test ended, with each of its parameters."""
        return [(how, said) for name, how, said in self.cases if name.split("[")[0] == test]

    def not_passed(self, tests: Sequence[str]) -> list[str]:
        """Why the tests do not hold in a tree that nothing was done to."""
        if self.exit_code is None:
            return [f"no end within {DEADLINE_SECONDS:g} s"]
        return [
            f"{test}: {', '.join(sorted({how for how, _ in self.of(test)})) or 'not run'}"
            for test in tests
            if {how for how, _ in self.of(test)} != {"passed"}
        ]

    def missed(self, tests: Sequence[str]) -> list[str]:
        """Why the mutant survived; nothing where each test caught it by an assertion."""
        if self.exit_code != 1:
            ended = "no end" if self.exit_code is None else f"exit code {self.exit_code}"
            return [f"{ended} instead of failed tests"]
        return [reason for test in tests if (reason := self._missed(test))]

    def _missed(self, test: str) -> str:
        failures = [said for how, said in self.of(test) if how == "failure"]
        if any(said.startswith(FINDINGS) for said in failures):
            return ""
        return f"{test}: {failures[0] if failures else 'not failed'}"


def run(tree: Path, tests: Sequence[str]) -> Trial:
    """Run tests in a tree of their own, with a deadline; whatever they started has ended then."""
    report, log = tree / "report.xml", tree / "report.log"
    options = ["-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
    started = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *options, *tests],
            cwd=tree,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        exit_code: int | None = None
        try:
            exit_code = process.wait(DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            _end(process)
    seconds = time.monotonic() - started
    cases = tuple(_cases(report)) if report.exists() else ()
    return Trial(exit_code, cases, seconds, log.read_text(errors="replace"))


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End what still runs, first as Ctrl-C does, so that a test ends its own database."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _cases(report: Path) -> list[tuple[str, str, str]]:
    cases = []
    for case in ET.parse(report).iter("testcase"):
        path = case.get("classname", "").replace(".", "/")
        found = [part for part in case if part.tag in ("failure", "error", "skipped")]
        how, said = (found[0].tag, found[0].get("message", "")) if found else ("passed", "")
        cases.append((f"{path}.py::{case.get('name')}", how, said))
    return cases
