"""The exception tree, and its one way into JSON.

ApiError
  InvalidRequest          400
  AuthenticationFailed    401
  OutOfCredit             402   over the credit granted, or blocked by requests in flight
  PermissionDenied        403
    KeyLimitExceeded      403
  NotFound                404
    NoMatchingModel       404
  MethodNotAllowed        405
  SlowUpload              408
  TooLarge                413
  HeadersTooLarge         431
  RateLimited             429   every provider asked us to wait, or a key has too much under way
  ProviderError           502
  Unavailable             503   we cannot account for a request now
  UpstreamTimeout         504
"""

import logging
from typing import Any

import orjson
import psycopg
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from rest_framework import exceptions as drf

logger = logging.getLogger(__name__)


class ApiError(Exception):
    """An answer other than the one asked for, with a message for the person who asked."""

    status = 500
    error_type = "server"
    # Set once the request became a generation.
    generation_id = ""
    # How far the request came, for clients that ask for it by header.
    openrouter_metadata: dict[str, Any] | None = None

    def __init__(self, message: str, *, retry_after: int | None = None, **metadata: Any) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after
        self.metadata = metadata

    def body(self) -> dict[str, Any]:
        metadata = {"error_type": self.error_type, **self.metadata}
        return {"code": self.status, "message": self.message, "metadata": metadata}

    def content(self) -> dict[str, Any]:
        """What a client is sent: the error and, beside it, how far the request came."""
        found = {"error": self.body()}
        if self.openrouter_metadata is not None:
            found["openrouter_metadata"] = self.openrouter_metadata
        return found


class InvalidRequest(ApiError):
    status, error_type = 400, "invalid_request"

    def __init__(self, message: str, *, error_type: str = "invalid_request", **metadata: Any):
        super().__init__(message, **metadata)
        self.error_type = error_type


class AuthenticationFailed(ApiError):
    status, error_type = 401, "authentication"


class OutOfCredit(ApiError):
    status, error_type = 402, "payment_required"


class PermissionDenied(ApiError):
    status, error_type = 403, "permission_denied"


class KeyLimitExceeded(PermissionDenied):
    pass


class NotFound(ApiError):
    status, error_type = 404, "not_found"


class NoMatchingModel(NotFound):
    pass


class MethodNotAllowed(ApiError):
    status, error_type = 405, "invalid_request"


class SlowUpload(ApiError):
    status, error_type = 408, "timeout"


class TooLarge(ApiError):
    status, error_type = 413, "payload_too_large"


class HeadersTooLarge(ApiError):
    status, error_type = 431, "invalid_request"


class RateLimited(ApiError):
    status, error_type = 429, "rate_limit_exceeded"


class ProviderError(ApiError):
    status, error_type = 502, "provider_unavailable"


class Unavailable(ApiError):
    status, error_type = 503, "server"

    def __init__(self, message: str, **metadata: Any) -> None:
        super().__init__(message, retry_after=2, **metadata)


class UpstreamTimeout(ApiError):
    status, error_type = 504, "timeout"


# How a failure of every provider is told.
BY_STATUS: dict[int, type[ApiError]] = {
    kind.status: kind
    for kind in (InvalidRequest, RateLimited, ProviderError, Unavailable, UpstreamTimeout)
}

# By statement_timeout and lock_timeout.
CUT_OFF = (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable)


def response(error: ApiError) -> HttpResponse:
    """The error as JSON, never cached, with Retry-After where waiting helps."""
    content = orjson.dumps(error.content())
    answer = HttpResponse(content, status=error.status, content_type="application/json")
    answer["Cache-Control"] = "no-store"
    if error.generation_id:
        answer["X-Generation-Id"] = error.generation_id
    if error.retry_after is not None:
        answer["Retry-After"] = str(error.retry_after)
    if error.status == 401:
        answer["WWW-Authenticate"] = "Bearer"
    return answer


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """Any exception of a view as an answer; the text of an unknown one stays with us."""
    return response(as_api_error(error))


def as_api_error(error: Exception) -> ApiError:
    if isinstance(error, ApiError):
        return error
    if isinstance(error, drf.MethodNotAllowed):
        return MethodNotAllowed(str(error.detail))
    if isinstance(error, drf.APIException):
        return _from_drf(error)
    if isinstance(error, Http404):
        return NotFound("Nothing is here; the API's answers are JSON.")
    if isinstance(error, OperationalError | InterfaceError):
        return unavailable(error)
    logger.error("Unexpected %s while answering", type(error).__name__, exc_info=error)
    return ApiError("Something went wrong on our side; the details are in the server's log.")


def unavailable(error: OperationalError | InterfaceError) -> Unavailable:
    """What a client is told of a database that is away, or that took longer than it may."""
    if isinstance(error.__cause__, CUT_OFF):
        logger.warning("The database took too long: %s", type(error.__cause__).__name__)
        return Unavailable("The database took too long; try again shortly, or ask for less.")
    logger.warning("The database is away: %s", type(error).__name__)
    return Unavailable("The database is away; try again shortly.")


def _from_drf(error: drf.APIException) -> ApiError:
    kinds = {401: AuthenticationFailed, 403: PermissionDenied, 404: NotFound}
    # What else DRF raises says that the request is wrong; a permanent condition is never a 5xx.
    return kinds.get(error.status_code, InvalidRequest)(str(error.detail))
