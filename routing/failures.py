"""How an endpoint can fail, and what its client is told of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from routing import errors
from routing.catalog import Offer

# Failures of one endpoint that another one may not have.
RETRYABLE = frozenset({408, 409, 425, 429, 500, 501, 502, 503, 504, 520, 522, 524, 529})
# Our key is bad there, or the model is gone there: other endpoints may do.
REFUSED_US = frozenset({401, 402, 403, 404, 405})
# The request itself is wrong; it would be wrong elsewhere too.
CLIENT_ERRORS = frozenset({400, 413, 422})


# What a client is told to wait where no provider says.
DEFAULT_WAITS = {429: 1, 503: 2}
ONE_WAITS = "The provider asks to wait"
LONGEST_RETRY_AFTER = 3600
LONGEST_NUMBER = 6
KNOWN_CODES = ("context_length_exceeded", "invalid_image", "content_policy_violation")
LONGEST_WORDS = 500
# What goes for a key where none is needed, such as "demo", may stand in any sentence.
SHORTEST_SECRET = 8
PARAMETER = re.compile(r"[\w.\[\]-]{1,64}", re.ASCII)
# What a provider says of our account there is not for those who send requests by it.
OUR_MATTERS = re.compile(
    r"\bkey\b|api[ _-]?key|credential|bearer|authori[sz]|invalid token|access token|account|"
    r"organi[sz]ation|workspace|tenant|project|billing|balance|credits?\b|quota|usage limit|"
    r"rate limit|subscription|\bplan\b|deployment|https?://|\bsk-|\bAIza|\bgsk_|\bxai-",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a provider refused a request: a known code, the field, and words for its sender alone.

    The words are never logged nor stored: they may repeat the prompt.
    """

    code: str = ""
    param: str = ""
    words: str = ""


NO_REFUSAL = Refusal()


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
        refusal: Refusal = NO_REFUSAL,
    ) -> None:
        super().__init__(message)
        self.status, self.error_type, self.message = status, error_type, message
        self.http_status, self.retryable, self.retry_after = http_status, retryable, retry_after
        # Whether the provider may have charged for it all the same.
        self.billed = billed
        self.refusal = refusal

    @property
    def own_status(self) -> int:
        """The provider's status; ours where it gave none, or a 200 that was no answer."""
        theirs = self.http_status
        return self.status if theirs is None or theirs == 200 else theirs


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


def read_refusal(body: bytes, credential: str) -> Refusal:
    """What an error of a provider says of the request; nothing where it is not JSON."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return NO_REFUSAL
    # Google sends an array of one; Mistral sends the error itself.
    found = found[0] if isinstance(found, list) and found else found
    error = found.get("error", found) if isinstance(found, dict) else None
    error = error if isinstance(error, dict) else {"message": error}
    metadata = error.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    codes = [one for one in (error.get("code"), metadata.get("error_type")) if one in KNOWN_CODES]
    param = error.get("param")
    return Refusal(
        code=codes[0] if codes else "",
        param=param if isinstance(param, str) and PARAMETER.fullmatch(param) else "",
        words=_words(metadata.get("raw") or error.get("message"), credential),
    )


def _words(text: Any, credential: str) -> str:
    if not isinstance(text, str) or OUR_MATTERS.search(text):
        return ""
    if len(credential) >= SHORTEST_SECRET and credential in text:
        return ""
    shown = text[:LONGEST_WORDS]
    return "".join(one if one.isprintable() else " " for one in shown).strip()


def of_status(
    status: int,
    *,
    http_status: int,
    retry_after: int | None = None,
    refusal: Refusal = NO_REFUSAL,
) -> AttemptFailed:
    wait = None if retry_after is None else min(retry_after or 1, LONGEST_RETRY_AFTER)
    if status in CLIENT_ERRORS:
        message = "The provider refused the request as invalid"
        reason = f": {refusal.code.replace('_', ' ')}." if refusal.code else "."
        return AttemptFailed(
            400,
            refusal.code or "invalid_request",
            message + reason,
            http_status=http_status,
            retryable=False,
            refusal=refusal,
        )
    if status == 429:
        message = f"{ONE_WAITS}; try again in {wait or 1} s."
        kind = (429, "rate_limit_exceeded", message)
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


def told(
    failures: Sequence[AttemptFailed], offers: Sequence[Offer], *, answered: bool = False
) -> errors.ApiError:
    """What the client is told when every attempt failed; offers are what was tried, in order.

    answered where the last one had begun an answer: no earlier failure is why it broke off.
    """
    tried = list(zip(failures, offers, strict=False))
    if answered:
        last, offer = tried[-1]
    elif all(one.status == 429 for one in failures):
        last, offer = min(tried, key=lambda one: one[0].retry_after or 1)
    else:
        last, offer = [one for one in tried if one[0].status != 429][-1]
    name, refusal = offer.provider_name, last.refusal
    message = last.message
    every = {one.provider_name for _, one in tried}
    if last.status == 429 and not answered and len(every) > 1:
        message = message.replace(ONE_WAITS, "Every provider asks to wait")
    kind = errors.BY_STATUS.get(last.status, errors.ProviderError)
    error = kind(message.replace("The provider", f"The provider {name}"))
    error.error_type = last.error_type
    error.retry_after = last.retry_after or DEFAULT_WAITS.get(last.status)
    said = {"provider_name": name, "param": refusal.param, "raw": refusal.words}
    error.metadata |= {key: value for key, value in said.items() if value}
    error.metadata["previous_errors"] = [
        {"provider": offer.provider_name, "code": one.status, "status": one.http_status}
        for one, offer in tried
    ]
    return error
