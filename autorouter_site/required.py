"""What a variable must be like where a mistake does harm; a wrong one stops the start."""

import base64
import logging
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import environ
from django.core.exceptions import ImproperlyConfigured

# Django's own check asks for 50 characters of a SECRET_KEY; 32 of base64 hold 192 random bits.
FEWEST_CHARACTERS = 32
KEY_BYTES = 32
# A sealed credential begins with one byte that says which key sealed it.
LARGEST_VERSION = 255
MOST_DAYS = 36_500
# Thirty years in seconds, or a gigabyte.
LARGEST_NUMBER = 999_999_999
POSTGRESQL = ("postgresql://", "postgres://")
ON, OFF = ("true", "on", "ok", "yes", "y", "1"), ("false", "off", "no", "n", "0", "")

T = TypeVar("T")


class Env(environ.Env):
    """The environment; what is wrong with a variable is said with its name."""

    def checked(
        self, name: str, check: Callable[[str, str], T], *, default: Any = environ.Env.NOTSET
    ) -> T:
        """Read a variable through one of the checks below; raises ImproperlyConfigured."""
        return check(name, self.str(name, default=default))


def secret(name: str, value: str) -> str:
    """The value, which is never quoted."""
    if len(value.strip()) < FEWEST_CHARACTERS:
        raise ImproperlyConfigured(
            f"{name} has {len(value.strip())} characters; it must have {FEWEST_CHARACTERS} or "
            "more. Make one: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )
    return value


def key_ring(name: str, entries: Sequence[str]) -> dict[int, bytes]:
    """Keys by version, in the order of the entries, each VERSION:KEY."""
    found = [_version_and_key(entry) for entry in entries]
    wrong = [str(at) for at, one in enumerate(found, 1) if one is None]
    if wrong or not found:
        which = f"entry {', '.join(wrong)} is something else" if wrong else "it is empty"
        raise ImproperlyConfigured(
            f"{name} must be VERSION:KEY, or several with commas between, the version a number "
            f"from 0 to {LARGEST_VERSION} and the key {KEY_BYTES} bytes in base64; {which}. "
            'Make one: echo "1:$(openssl rand -base64 32)"'
        )
    keys = dict(one for one in found if one)
    if len(keys) < len(found):
        raise ImproperlyConfigured(f"{name} has a version twice; give each key one of its own.")
    return keys


def days(name: str, value: str) -> int:
    """A number of days; blank is 0."""
    number = _whole(value.strip() or "0")
    if number is None or number > MOST_DAYS:
        raise ImproperlyConfigured(
            f"{name} is {value!r}; it must be a number of days from 0 to {MOST_DAYS}, 0 for no end."
        )
    return number


def whole(name: str, value: str, *, least: int = 1) -> int:
    number = _whole(value.strip())
    if number is None or number < least:
        raise ImproperlyConfigured(
            f"{name} is {value!r}; it must be a whole number from {least} to {LARGEST_NUMBER}."
        )
    return number


def _whole(text: str) -> int | None:
    """A number of 0 to LARGEST_NUMBER, or None where it is none."""
    is_short = len(text) <= len(str(LARGEST_NUMBER))
    return int(text) if text.isascii() and text.isdigit() and is_short else None


def seconds(name: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ImproperlyConfigured(f"{name} is {value!r}; it must be seconds, more than 0.")
    return number


def flag(name: str, value: str) -> bool:
    text = value.strip().lower()
    if text not in (*ON, *OFF):
        raise ImproperlyConfigured(f"{name} is {value!r}; it must be true or false.")
    return text in ON


def level(name: str, value: str) -> str:
    """The name of a level of logging, in whatever case."""
    known = logging.getLevelNamesMapping()
    text = value.strip().upper()
    if text not in known:
        raise ImproperlyConfigured(f"{name} is {value!r}; it must be one of {', '.join(known)}.")
    return text


def database(name: str, url: str) -> dict[str, Any]:
    """Where PostgreSQL is; the value, which holds a password, is never quoted."""
    try:
        parts = environ.Env.db_url_config(url) if url.startswith(POSTGRESQL) else {}
    except ValueError:
        parts = {}
    if not parts.get("NAME"):
        raise ImproperlyConfigured(
            f"{name} must be postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with %40 for @, %2F "
            "for / and %3A for : within a password, and it is something else. Correct it, or "
            "remove it from the environment and from env in the data folder: make run then brings "
            "a PostgreSQL of its own."
        )
    return dict(parts)


def _version_and_key(entry: str) -> tuple[int, bytes] | None:
    """What an entry says, or None where it is not one."""
    version, _, key = entry.partition(":")
    try:
        number, decoded = int(version), base64.b64decode(key.strip(), validate=True)
    except ValueError:
        return None
    fits = 0 <= number <= LARGEST_VERSION and len(decoded) == KEY_BYTES
    return (number, decoded) if fits else None
