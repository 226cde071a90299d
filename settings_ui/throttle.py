"""How often a password may be tried.

Counted in Django's cache: with the default one each worker process counts for itself, so a machine
with n workers lets through up to n times as many.
"""

from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from ipaddress import ip_address

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest

MAX_ATTEMPTS = 5
# Of one address for all names, and of all addresses for one name: who spreads gains little, and
# who shares an address or a name with a guesser is rarely shut out.
MAX_OF_ADDRESS = MAX_OF_NAME = 50
WINDOW_SECONDS = 300


def address_of(request: HttpRequest) -> str:
    """The client's address: as the proxy in front saw it, where there is one.

    Only the last entry of X-Forwarded-For is the proxy's; whoever asks may write the others.
    """
    peer = request.META.get("REMOTE_ADDR", "")
    if not settings.AUTOROUTER_HTTPS:
        return peer
    try:
        return str(ip_address(request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")[-1].strip()))
    except ValueError:
        return peer


def allow(username: str, address: str) -> bool:
    """Count an attempt, before its password is looked at, and tell whether it may be made."""
    # What one limit refuses does not count for the next: one address alone locks no name.
    return all(_count(key) <= most for key, most in _limits(username, address))


def forget(username: str, address: str) -> None:
    """Take back the attempt that was right, and the wrong ones of this name from this address."""
    own, *shared = (key for key, _ in _limits(username, address))
    cache.delete(own)
    for key in shared:
        with suppress(ValueError):
            cache.decr(key)


def _limits(username: str, address: str) -> Iterator[tuple[str, int]]:
    name = username.casefold()
    yield _key(f"{address}\n{name}"), MAX_ATTEMPTS
    yield _key(f"{address}\n"), MAX_OF_ADDRESS
    yield _key(f"\n{name}"), MAX_OF_NAME


def _key(text: str) -> str:
    return "sign-in:" + sha256(text.encode(errors="surrogatepass")).hexdigest()


def _count(key: str) -> int:
    # add() starts the window; incr() keeps its end, so that it cannot be pushed out for ever.
    if cache.add(key, 1, WINDOW_SECONDS):
        return 1
    try:
        return cache.incr(key)
    except ValueError:  # the window ended between the two calls
        return 1
