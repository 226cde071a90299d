"""How often a password may be tried.

Counted per user name and address in Django's cache: with the default one each worker process
counts for itself, so a machine with n workers lets through up to n times as many.
"""

from hashlib import sha256

from django.core.cache import cache

MAX_ATTEMPTS = 5
WINDOW_SECONDS = 300


def allow(username: str, address: str) -> bool:
    """Count an attempt, before its password is looked at, and tell whether it may be made."""
    key = _key(username, address)
    # add() starts the window; incr() keeps its end, so that it cannot be pushed out for ever.
    if cache.add(key, 1, WINDOW_SECONDS):
        return True
    try:
        return cache.incr(key) <= MAX_ATTEMPTS
    except ValueError:  # the window ended between the two calls
        return True


def forget(username: str, address: str) -> None:
    cache.delete(_key(username, address))


def _key(username: str, address: str) -> str:
    return "sign-in:" + sha256(f"{address}\n{username.casefold()}".encode()).hexdigest()
