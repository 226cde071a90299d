import ast

import pytest

from tests.mutants.table import MUTANTS, Edit
from tests.mutants.tree import ROOT, edited

EDITS = [edit for mutant in MUTANTS for edit in mutant.edits]
TESTS = sorted({test for mutant in MUTANTS for test in mutant.caught_by})


@pytest.mark.parametrize("edit", EDITS, ids=[f"{edit.path} {edit.old[:30]}" for edit in EDITS])
def test_an_edit_applies_and_leaves_python(edit: Edit) -> None:
    ast.parse(edited((ROOT / edit.path).read_text(), edit))


@pytest.mark.parametrize("test", TESTS)
def test_what_catches_a_mutant_exists(test: str) -> None:
    path, name = test.split("::")

    assert f"def {name}(" in (ROOT / path).read_text()
