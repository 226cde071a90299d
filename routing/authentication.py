"""API key -> user."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import OperationalError
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from routing import credentials
from routing.errors import AuthenticationFailed, InvalidRequest, Unavailable
from routing.models import ApiKey
from routing.snapshot import AWAY_MESSAGE, Account, Snapshot

UNKNOWN = "No API key of this server; send one as Authorization: Bearer sk-ar-v1-..."


def bearer(header: str) -> str:
    """The key in an Authorization header; raises for a header that holds none, or several."""
    if not header.strip():
        raise AuthenticationFailed(
            "Missing Authentication header; send Authorization: Bearer sk-ar-v1-..."
        )
    scheme, _, secret = header.strip().partition(" ")
    if "," in header and header.lower().count("bearer") > 1:
        raise InvalidRequest("Send one Authorization header, not several.")
    if scheme.lower() != "bearer" or not secret.strip():
        raise AuthenticationFailed("The Authorization header must be Bearer and an API key.")
    return secret.strip()


async def authenticate(snapshot: Snapshot, header: str) -> Account:
    """The account of a request on the path of a completion; warm, it costs no query."""
    secret = bearer(header)
    account = await snapshot.account(secret)
    if account is None:
        raise AuthenticationFailed(refusal(await snapshot.state(secret)))
    return account


def refusal(states: Sequence[tuple[Any, ...]]) -> str:
    """Why a key is refused, from ApiKeyQuerySet.state_of."""
    if not states:
        return UNKNOWN
    [(expiry, disabled, is_active)] = states
    expired_at = None if expiry is None else datetime.fromtimestamp(float(expiry), UTC)
    if expired_at and expired_at <= timezone.now():
        return f"This API key expired on {expired_at:%Y-%m-%d at %H:%M} UTC; send another one."
    if disabled:
        return "This API key is disabled; its owner can enable it under Settings, API keys."
    if not is_active:
        return "The user of this API key is deactivated; an administrator can change that."
    return "This API key has just changed; try again."


class ApiKeyAuthentication(BaseAuthentication):
    """The same for the resources that are plain Django; request.auth is the ApiKey."""

    def authenticate(self, request: Request) -> tuple[Any, ApiKey]:
        secret = bearer(request.META.get("HTTP_AUTHORIZATION", ""))
        if not credentials.is_well_formed(secret):
            raise AuthenticationFailed(UNKNOWN)
        try:
            key = self._find(credentials.digest(secret))
        except OperationalError as error:
            raise Unavailable(AWAY_MESSAGE) from error
        return key.user, key

    def _find(self, digest: str) -> ApiKey:
        key = ApiKey.objects.usable().of_digest(digest).first()
        if key is None:
            raise AuthenticationFailed(refusal(ApiKey.objects.state_of(digest)))
        return key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
