"""What the demo provider refuses, in OpenAI's envelope.

ProviderError
    invalid(...)    400  the request is not what was expected
    on_request(...)      the status that a message asked for with `demo:error=`
"""

from typing import Any

# status: type and code, after OpenAI's error reference; 529 is Anthropic's "overloaded".
KINDS: dict[int, tuple[str, str | None]] = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("permission_error", "unsupported_country_region_territory"),
    404: ("invalid_request_error", "model_not_found"),
    405: ("invalid_request_error", "method_not_allowed"),
    408: ("timeout_error", "request_timeout"),
    413: ("invalid_request_error", "request_too_large"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
    500: ("server_error", None),
    502: ("server_error", "bad_gateway"),
    503: ("server_error", "service_unavailable"),
    529: ("overloaded_error", "overloaded"),
}

ON_REQUEST = tuple(status for status in KINDS if status != 405)
RETRY_AFTER_SECONDS = {429: 1, 503: 1}


class ProviderError(Exception):
    """An answer that is not a completion."""

    def __init__(self, status: int, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param

    @property
    def headers(self) -> dict[str, str]:
        seconds = RETRY_AFTER_SECONDS.get(self.status)
        return {} if seconds is None else {"retry-after": str(seconds)}

    def envelope(self) -> dict[str, Any]:
        kind, code = KINDS[self.status]
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": code}}


def invalid(param: str, value: object, accepted: str) -> ProviderError:
    """Say which field was wrong, what it held, and what would do."""
    shown = repr(value)[:60]
    return ProviderError(400, f"'{param}' is {shown}; expected {accepted}.", param=param)


def on_request(status: int) -> ProviderError:
    return ProviderError(status, f"The demo provider answers {status}, as the message asked.")
