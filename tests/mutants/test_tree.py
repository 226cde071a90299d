import pytest

from tests.mutants.table import Edit
from tests.mutants.tree import NoLongerApplies, edited


@pytest.mark.parametrize("text", ["", "lock lock"], ids=["gone", "twice"])
def test_an_edit_that_fits_no_single_place_is_refused(text: str) -> None:
    with pytest.raises(NoLongerApplies, match=r"a\.py"):
        edited(text, Edit("a.py", "lock", ""))
