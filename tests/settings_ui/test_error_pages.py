from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404
from django.test import Client
from django.views import defaults

from autorouter_site import unavailable
from routing.errors import Unavailable


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


@pytest.fixture(params=[None, "", "{", '{"version": "9"}'])
def manifest(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> None:
    """The static files as no start left them: not collected, or half written."""
    storage = {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {**settings.STORAGES, "staticfiles": storage}
    if request.param is not None:
        (tmp_path / "staticfiles.json").write_text(request.param)


def test_a_failing_server_has_its_page_whatever_became_of_the_static_files(manifest: None) -> None:
    response = Client(raise_request_exception=False).get("/sign-in")

    assert response.status_code == 500
    assert "Something broke on our side" in response.content.decode()
    assert 'href="/static/site.css"' in response.content.decode()


def test_a_page_of_a_server_without_its_database_needs_no_manifest(manifest: None) -> None:
    response = unavailable.answer("/activity", Unavailable("Come back."))

    assert (response.status_code, "Come back." in response.content.decode()) == (503, True)
