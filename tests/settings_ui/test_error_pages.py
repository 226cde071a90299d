import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404
from django.views import defaults


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (lambda r: defaults.bad_request(r, SuspiciousOperation()), 400, "cannot be read"),
        (lambda r: defaults.permission_denied(r, PermissionDenied()), 403, "may not see"),
        (lambda r: defaults.page_not_found(r, Http404()), 404, "Nothing is here"),
        (defaults.server_error, 500, "Something broke"),
    ],
)
def test_each_error_has_a_page_in_words(rf, answer, status, words):
    response = answer(rf.get("/somewhere"))

    assert response.status_code == status
    assert words in response.content.decode()
    assert "Skip to content" in response.content.decode()
