import pytest

from tests.mutants.trial import Trial

TEST = "tests/test_a.py::test_a"
ASSERTION = ("failure", "AssertionError: assert 1 == 2")


def ended(exit_code: int | None, *cases: tuple[str, str]) -> Trial:
    return Trial(exit_code, tuple((f"{TEST}[{n}]", *case) for n, case in enumerate(cases)))


@pytest.mark.parametrize(
    ("trial", "reason"),
    [
        (ended(1, ("passed", ""), ASSERTION), []),
        (ended(1, ("failure", "NameError: nobody")), [f"{TEST}: NameError: nobody"]),
        (ended(1, ("error", "fixture 'x' not found")), [f"{TEST}: not failed"]),
        (ended(0, ("passed", "")), ["exit code 0 instead of failed tests"]),
        (ended(4), ["exit code 4 instead of failed tests"]),
        (ended(None, ASSERTION), ["no end instead of failed tests"]),
    ],
    ids=["assertion", "mistake", "fixture", "passed", "usage", "deadline"],
)
def test_a_mutant_is_caught_by_an_assertion_alone(trial: Trial, reason: list[str]) -> None:
    assert trial.missed([TEST]) == reason


@pytest.mark.parametrize(
    ("trial", "reason"),
    [
        (ended(0, ("passed", "")), []),
        (ended(0, ("passed", ""), ("skipped", "")), [f"{TEST}: passed, skipped"]),
        (ended(0), [f"{TEST}: not run"]),
    ],
    ids=["passed", "skipped", "missing"],
)
def test_a_test_that_is_skipped_proves_nothing(trial: Trial, reason: list[str]) -> None:
    assert trial.not_passed([TEST]) == reason
