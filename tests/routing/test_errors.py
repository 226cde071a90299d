import logging
from typing import Any

import orjson
import pytest
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions as drf

from routing import errors
from routing.errors import ApiError

TREE = [
    (errors.InvalidRequest, 400, "invalid_request"),
    (errors.AuthenticationFailed, 401, "authentication"),
    (errors.OutOfCredit, 402, "payment_required"),
    (errors.PermissionDenied, 403, "permission_denied"),
    (errors.KeyLimitExceeded, 403, "permission_denied"),
    (errors.NotFound, 404, "not_found"),
    (errors.NoMatchingModel, 404, "not_found"),
    (errors.MethodNotAllowed, 405, "invalid_request"),
    (errors.SlowUpload, 408, "timeout"),
    (errors.TooLarge, 413, "payload_too_large"),
    (errors.HeadersTooLarge, 431, "invalid_request"),
    (errors.RateLimited, 429, "rate_limit_exceeded"),
    (errors.ProviderError, 502, "provider_unavailable"),
    (errors.Unavailable, 503, "server"),
    (errors.UpstreamTimeout, 504, "timeout"),
    (errors.ApiError, 500, "server"),
]


@pytest.mark.parametrize(("kind", "status", "error_type"), TREE)
def test_an_error_is_its_status_and_an_envelope(
    kind: type[ApiError], status: int, error_type: str
) -> None:
    response = errors.response(kind("What went wrong.", param="field"))

    assert response.status_code == status
    assert response["Content-Type"] == "application/json"
    assert response["Cache-Control"] == "no-store"
    assert orjson.loads(response.content) == {
        "error": {
            "code": status,
            "message": "What went wrong.",
            "metadata": {"error_type": error_type, "param": "field"},
        }
    }


@pytest.mark.parametrize("kind", [entry[0] for entry in TREE])
def test_the_docstring_draws_the_whole_tree(kind: type[ApiError]) -> None:
    lines = [line.split()[:2] for line in (errors.__doc__ or "").splitlines() if line]

    assert kind.status == 500 or [kind.__name__, str(kind.status)] in lines


def test_waiting_is_suggested_where_it_helps() -> None:
    assert errors.response(errors.Unavailable("Busy."))["Retry-After"] == "2"
    assert errors.response(errors.OutOfCredit("Wait.", retry_after=7))["Retry-After"] == "7"
    assert "Retry-After" not in errors.response(errors.OutOfCredit("Pay."))


def test_a_bad_key_names_the_scheme() -> None:
    assert errors.response(errors.AuthenticationFailed("No."))["WWW-Authenticate"] == "Bearer"


def test_an_error_of_a_generation_names_it() -> None:
    error = errors.ProviderError("Provider returned error")
    error.generation_id = "gen-1"

    assert errors.response(error)["X-Generation-Id"] == "gen-1"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (drf.ParseError(), 400),
        (drf.NotAuthenticated(), 401),
        (drf.PermissionDenied(), 403),
        (drf.NotFound(), 404),
        (drf.MethodNotAllowed("PUT"), 405),
        (drf.UnsupportedMediaType("text/plain"), 400),
        (Http404(), 404),
        (OperationalError("connection refused"), 503),
        (InterfaceError("closed"), 503),
        (RuntimeError("boom"), 500),
    ],
)
def test_every_exception_has_its_answer(error: Exception, status: int) -> None:
    assert errors.exception_handler(error, {}).status_code == status


def test_the_text_of_an_unknown_error_stays_with_us(caplog: Any) -> None:
    with caplog.at_level(logging.ERROR):
        response = errors.exception_handler(RuntimeError("secret of /etc/passwd"), {})

    assert b"secret" not in response.content
    assert b"Traceback" not in response.content
    assert "RuntimeError" in caplog.text
