"""Breaks one promise at a time in a copy of the tree and sees that its tests notice.

Exits with 1 where a mutant survives, and with 2 where there is nothing to tell: a mutant no longer
applies, or a test fails in the tree as it is.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.mutants import tree, trial
from tests.mutants.table import MUTANTS, Mutant

WIDEST_NAME = max(len(mutant.name) for mutant in MUTANTS)
WIDEST_TEST = max(len(test) for mutant in MUTANTS for test in mutant.caught_by)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutants ARGS=...", description=__doc__)
    parser.add_argument("words", nargs="*", help="only mutants with one of these in their name")
    words = parser.parse_args().words
    mutants = [one for one in MUTANTS if not words or any(word in one.name for word in words)]
    if not mutants:
        parser.error(f"no mutant has one of these in its name: {' '.join(words)}")
    with tempfile.TemporaryDirectory(prefix="autorouter-mutants-") as folder:
        try:
            return _run(mutants, Path(folder))
        except tree.NoLongerApplies as error:
            print(f"The mutant no longer applies: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            return 130


def _run(mutants: list[Mutant], folder: Path) -> int:
    trees = [(mutant, tree.copy(folder / f"{n}")) for n, mutant in enumerate(mutants, 1)]
    for mutant, place in trees:
        tree.apply(mutant, place)
    if not _holds_unbroken(mutants, tree.copy(folder / "0")):
        return 2
    survived = sum([not _is_caught(mutant, place) for mutant, place in trees])
    print(f"{len(mutants) - survived} of {len(mutants)} mutants caught.")
    return 1 if survived else 0


def _holds_unbroken(mutants: list[Mutant], place: Path) -> bool:
    tests = list(dict.fromkeys(test for mutant in mutants for test in mutant.caught_by))
    result = trial.run(place, tests)
    if problems := result.not_passed(tests):
        print(result.output, *problems, sep="\n", file=sys.stderr)
        return False
    _row("mutant", "caught by", "seconds")
    _row("none", f"{len(tests)} tests pass", f"{result.seconds:.1f}")
    return True


def _is_caught(mutant: Mutant, place: Path) -> bool:
    result = trial.run(place, mutant.caught_by)
    missed = result.missed(mutant.caught_by)
    if missed:
        print(result.output, file=sys.stderr)
    found = [f"SURVIVED: {reason}" for reason in missed] or mutant.caught_by
    _row(mutant.name, found[0], f"{result.seconds:.1f}")
    for more in found[1:]:
        _row("", more, "")
    return not missed


def _row(name: str, found: str, seconds: str) -> None:
    print(f"{name:{WIDEST_NAME}}  {found:{WIDEST_TEST}}  {seconds:>7}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
