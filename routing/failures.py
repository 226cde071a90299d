"""How an endpoint can fail, and what its client is told of it."""

from collections.abc import Sequence
from typing import Any

import httpx

from routing import errors

# Failures of one endpoint that another one may not have.
RETRYABLE = frozenset({408, 409, 425, 429, 500, 501, 502, 503, 504, 520, 522, 524, 529})
# Our key is bad there, or the model is gone there: other endpoints may do.
REFUSED_US = frozenset({401, 402, 403, 404, 405})
# The request itself is wrong; it would be wrong elsewhere too.
CLIENT_ERRORS = frozenset({400, 413, 422})


# What a client is told to wait where no provider says.
DEFAULT_WAITS = {429: 1, 503: 2}
LONGEST_RETRY_AFTER = 3600
LONGEST_NUMBER = 6
KNOWN_CODES = ("context_length_exceeded", "invalid_image", "content_policy_violation")


class AttemptFailed(Exception):
    """One endpoint did not answer; says what the client would be told and whether to go on."""

    def __init__(  # noqa: PLR0913 - facts of one failure, by keyword
        self,
        status: int,
        error_type: str,
        message: str,
        *,
        http_status: int | None = None,
        retryable: bool = True,
        retry_after: int | None = None,
        billed: bool = False,
    ) -> None:
        super().__init__(message)
        self.status, self.error_type, self.message = status, error_type, message
        self.http_status, self.retryable, self.retry_after = http_status, retryable, retry_after
        # Whether the provider may have charged for it all the same.
        self.billed = billed


def in_band_failure(error: Any) -> AttemptFailed:
    """An error that came inside a 200, as the failure that its code stands for."""
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, str) and is_short_number(code):
        code = int(code)
    if not isinstance(code, int) or not 400 <= code <= 599:
        code = 502
    return of_status(code, http_status=200)


def is_short_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER


def of_status(
    status: int, *, http_status: int, retry_after: int | None = None, code: str = ""
) -> AttemptFailed:
    wait = None if retry_after is None else min(retry_after or 1, LONGEST_RETRY_AFTER)
    if status in CLIENT_ERRORS:
        message = "The provider refused the request as invalid"
        reason = f": {code.replace('_', ' ')}." if code else "."
        return AttemptFailed(
            400,
            code or "invalid_request",
            message + reason,
            http_status=http_status,
            retryable=False,
        )
    if status == 429:
        message = "Every provider asks to wait"
        kind = (429, "rate_limit_exceeded", f"{message}; try again in {wait or 1} s.")
        return AttemptFailed(*kind, http_status=http_status, retry_after=wait)
    if status in (503, 529):
        kind = (503, "provider_overloaded", f"Provider returned error {status}: overloaded.")
        return AttemptFailed(*kind, http_status=http_status, retry_after=wait)
    if status in (408, 504, 524):
        return AttemptFailed(504, "timeout", "The provider timed out.", http_status=http_status)
    return AttemptFailed(
        502,
        "provider_unavailable",
        "Provider returned error",
        http_status=http_status,
        retryable=status in RETRYABLE or status in REFUSED_US or status < 400 or status >= 500,
    )


def invalid(what: str) -> AttemptFailed:
    message = f"The provider sent {what}."
    return AttemptFailed(502, "provider_unavailable", message, http_status=200, billed=True)


def broken() -> AttemptFailed:
    message = "The connection to the provider broke before its answer ended."
    return AttemptFailed(502, "provider_unavailable", message, billed=True)


def unreachable(error: httpx.HTTPError) -> AttemptFailed:
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        message = "The provider cannot be reached."
        return AttemptFailed(502, "provider_unavailable", message)
    return broken()


def timed_out() -> AttemptFailed:
    message = "The provider did not answer in time."
    return AttemptFailed(504, "timeout", message, billed=True)


def told(failures: Sequence[AttemptFailed]) -> errors.ApiError:
    """What the client is told when every attempt failed."""
    if all(one.status == 429 for one in failures):
        last = min(failures, key=lambda one: one.retry_after or 1)
    else:
        last = [one for one in failures if one.status != 429][-1]
    kind = errors.BY_STATUS.get(last.status, errors.ProviderError)
    error = kind(last.message)
    error.error_type = last.error_type
    error.retry_after = last.retry_after or DEFAULT_WAITS.get(last.status)
    error.metadata["previous_errors"] = [
        {"code": one.status, "status": one.http_status} for one in failures
    ]
    return error
