"""What a variable must be like where a mistake does harm; a wrong one stops the start."""

import base64
from collections.abc import Sequence

from django.core.exceptions import ImproperlyConfigured

# Django's own check asks for 50 characters of a SECRET_KEY; 32 of base64 hold 192 random bits.
FEWEST_CHARACTERS = 32
KEY_BYTES = 32
# A sealed credential begins with one byte that says which key sealed it.
LARGEST_VERSION = 255
MOST_DAYS = 36_500


def secret(name: str, value: str) -> str:
    """The value, which is never quoted."""
    if len(value.strip()) < FEWEST_CHARACTERS:
        raise ImproperlyConfigured(
            f"{name} has {len(value.strip())} characters; it must have {FEWEST_CHARACTERS} or "
            "more. Make one: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )
    return value


def key_ring(name: str, entries: Sequence[str]) -> list[str]:
    """The entries, each VERSION:KEY."""
    versions = [_version(entry) for entry in entries]
    wrong = [str(at) for at, version in enumerate(versions, 1) if version is None]
    if wrong or not versions:
        which = f"entry {', '.join(wrong)} is something else" if wrong else "it is empty"
        raise ImproperlyConfigured(
            f"{name} must be VERSION:KEY, or several with commas between, the version a number "
            f"from 0 to {LARGEST_VERSION} and the key {KEY_BYTES} bytes in base64; {which}. "
            'Make one: echo "1:$(openssl rand -base64 32)"'
        )
    if len(set(versions)) < len(versions):
        raise ImproperlyConfigured(f"{name} has a version twice; give each key one of its own.")
    return list(entries)


def days(name: str, value: str) -> int:
    """A number of days; blank is 0."""
    text = value.strip() or "0"
    if not (text.isascii() and text.isdigit() and int(text) <= MOST_DAYS):
        raise ImproperlyConfigured(
            f"{name} is {value!r}; it must be a number of days from 0 to {MOST_DAYS}, 0 for no end."
        )
    return int(text)


def _version(entry: str) -> int | None:
    """Its version, or None where the entry is not one."""
    version, _, key = entry.partition(":")
    try:
        number, size = int(version), len(base64.b64decode(key.strip(), validate=True))
    except ValueError:
        return None
    return number if 0 <= number <= LARGEST_VERSION and size == KEY_BYTES else None
