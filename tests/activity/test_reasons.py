import pytest

from activity.templatetags.reasons import in_words
from routing import errors


@pytest.mark.parametrize("error", errors.ApiError.__subclasses__())
def test_every_kind_of_error_has_its_words(error: type[errors.ApiError]) -> None:
    assert in_words(error.error_type).endswith(".")
