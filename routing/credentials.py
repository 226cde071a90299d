"""API keys and provider credentials: made, hashed, encrypted, never shown again."""

import hmac
import secrets
import string
import zlib
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction

from routing.models import ApiKey, Provider

PREFIX = "sk-ar-v1-"
ALPHABET = string.digits + string.ascii_letters
# 43 base62 characters hold 256 bits; the first 12 make a key recognisable in a list.
ID_LENGTH, SECRET_LENGTH, CHECKSUM_LENGTH = 12, 43, 6
KEY_LENGTH = len(PREFIX) + ID_LENGTH + SECRET_LENGTH + CHECKSUM_LENGTH
NONCE_BYTES = 12
# Of one user. Each is a row to look through on the pages, and none is ever swept away.
MAX_KEYS = 100
UNKNOWN = "No API key of this server; send one as Authorization: Bearer sk-ar-v1-..."


class CredentialError(Exception):
    """A provider's saved credential cannot be read with the keys this process has."""


class TooManyKeysError(Exception):
    """A user has as many API keys as one may have."""


def create_key(user: Any, name: str, **fields: Any) -> tuple[ApiKey, str]:
    """Save a new API key; its secret is returned here and nowhere else.

    Raises TooManyKeysError.
    """
    body = "".join(secrets.choice(ALPHABET) for _ in range(ID_LENGTH + SECRET_LENGTH))
    secret = PREFIX + body + _checksum(body)
    label = f"{secret[: len(PREFIX) + 3]}...{secret[-4:]}"
    columns = {"name": name, "digest": digest(secret), "label": label, **fields}
    with transaction.atomic():
        # Forms that are sent at once are counted one after the other.
        get_user_model().objects.select_for_update(no_key=True).get(pk=user.pk)
        check_room(user)
        return ApiKey.objects.create(user=user, **columns), secret


def check_room(user: Any) -> None:
    """Raises TooManyKeysError if the user has as many keys as one may have, of whatever state."""
    if ApiKey.objects.owned_by(user).count() >= MAX_KEYS:
        raise TooManyKeysError(
            f"{MAX_KEYS} API keys are the most that a user may have. Delete one that no program "
            "uses any more, then create another."
        )


def is_well_formed(secret: str) -> bool:
    """Whether prefix, length and checksum are right; false costs no query."""
    if len(secret) != KEY_LENGTH or not secret.startswith(PREFIX) or not secret.isascii():
        return False
    body = secret[len(PREFIX) : -CHECKSUM_LENGTH]
    return hmac.compare_digest(secret[-CHECKSUM_LENGTH:], _checksum(body))


def refusal(expired_at: datetime | None, *, disabled: bool, is_active: bool) -> str:
    """Why a key that exists is of no use, for whoever holds it; "" for a good one.

    expired_at: None for a key that has not expired by the database's clock.
    """
    if expired_at:
        return f"This API key expired on {expired_at:%Y-%m-%d at %H:%M} UTC; send another one."
    if disabled:
        return "This API key is disabled; its owner can enable it under Settings, API keys."
    if not is_active:
        return "The user of this API key is deactivated; an administrator can change that."
    return ""


def digest(secret: str) -> str:
    """HMAC-SHA-256 of the whole key in hex; useless to whoever lacks the pepper."""
    pepper = settings.AUTOROUTER_KEY_PEPPER.encode()
    return hmac.digest(pepper, secret.encode(), "sha256").hex()


def save_credential(provider: Provider, credential: str) -> None:
    """Encrypt and save a provider's key; only its last four characters stay readable."""
    version, key = next(iter(settings.AUTOROUTER_CREDENTIAL_KEYS.items()))
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, credential.encode(), _context(provider, version))
    provider.credential = bytes([version]) + nonce + sealed
    provider.credential_hint = credential[-4:]
    provider.save(update_fields=["credential", "credential_hint"])


def read_credential(provider: Provider) -> str:
    """The provider's key: the saved one, else its environment variable's, else "".

    Raises CredentialError if the saved one was sealed with a key that is not configured, or for
    another provider.
    """
    if not provider.credential:
        return settings.AUTOROUTER_PROVIDER_KEYS.get(provider.environment_variable, "")
    sealed = bytes(provider.credential)
    version, nonce = sealed[0], sealed[1 : 1 + NONCE_BYTES]
    try:
        key = settings.AUTOROUTER_CREDENTIAL_KEYS[version]
        plain = AESGCM(key).decrypt(nonce, sealed[1 + NONCE_BYTES :], _context(provider, version))
    except (KeyError, InvalidTag) as error:
        raise CredentialError(
            f"The credential of {provider.name} cannot be decrypted with key version {version}; "
            "restore that key in AUTOROUTER_CREDENTIAL_KEYS or save the credential again."
        ) from error
    return plain.decode()


def _checksum(body: str) -> str:
    number = zlib.crc32((PREFIX + body).encode())
    digits = ""
    for _ in range(CHECKSUM_LENGTH):
        number, rest = divmod(number, len(ALPHABET))
        digits = ALPHABET[rest] + digits
    return digits


def _context(provider: Provider, version: int) -> bytes:
    """Binds a sealed credential to its row, so that swapped rows cannot be read."""
    return f"provider:{provider.pk}|credential|{version}".encode()
