"""API key -> user."""

from typing import Any

from django.db import OperationalError
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from routing import credentials
from routing.errors import AuthenticationFailed, InvalidRequest, Unavailable
from routing.models import ApiKey
from routing.snapshot import AWAY_MESSAGE, Account, Snapshot


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
    account = await snapshot.account(bearer(header))
    if isinstance(account, str):
        raise AuthenticationFailed(account)
    return account


class ApiKeyAuthentication(BaseAuthentication):
    """The same for the resources that are plain Django; request.auth is the ApiKey."""

    def authenticate(self, request: Request) -> tuple[Any, ApiKey]:
        secret = bearer(request.META.get("HTTP_AUTHORIZATION", ""))
        if not credentials.is_well_formed(secret):
            raise AuthenticationFailed(credentials.UNKNOWN)
        try:
            key = self._find(credentials.digest(secret))
        except OperationalError as error:
            raise Unavailable(AWAY_MESSAGE) from error
        return key.user, key

    def _find(self, digest: str) -> ApiKey:
        key = ApiKey.objects.of_digest(digest).with_expiry().select_related("user").first()
        if key is None:
            raise AuthenticationFailed(credentials.UNKNOWN)
        expired_at = key.expires_at if key.is_expired else None
        if why := credentials.refusal(
            expired_at, disabled=key.disabled, is_active=key.user.is_active
        ):
            raise AuthenticationFailed(why)
        return key
