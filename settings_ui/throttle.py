"""How often a password may be tried.

Counted in Django's cache: with the default one each worker process counts for itself, so a machine
with n workers lets through up to n times as many.
"""

from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from ipaddress import IPv4Address, ip_address, ip_network

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest

MAX_ATTEMPTS = 5
# Of one address for all names, and of all addresses for one name: who spreads gains little, and
# who shares an address or a name with a guesser is rarely shut out.
MAX_OF_ADDRESS = MAX_OF_NAME = 50
WINDOW_SECONDS = 300
# The part of an IPv6 address that names a network; the rest is its host's to choose.
NETWORK_BITS = 64


def address_of(request: HttpRequest) -> str:
    """The client's address: as the proxy in front saw it, where there is one.

    Only the last entry of X-Forwarded-For is the proxy's; whoever asks may write the others. Of
    IPv6 it is the network, since one host has the 2^64 addresses of one.
    """
    peer = request.META.get("REMOTE_ADDR", "")
    entry = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")[-1].strip()
    return (settings.AUTOROUTER_HTTPS and _network(entry)) or _network(peer) or peer


def _network(entry: str) -> str:
    """An IPv4 address, or the network of an IPv6 one, whether or not a port is behind it."""
    text = entry[1:].partition("]")[0] if entry.startswith("[") else entry
    if text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    if isinstance(address, IPv4Address):
        return str(address)
    return str(address.ipv4_mapped or ip_network((address, NETWORK_BITS), strict=False))


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
    yield _key("both", f"{address}\n{name}"), MAX_ATTEMPTS
    yield _key("address", address), MAX_OF_ADDRESS
    yield _key("name", name), MAX_OF_NAME


def _key(kind: str, text: str) -> str:
    return f"sign-in:{kind}:" + sha256(text.encode(errors="surrogatepass")).hexdigest()


def _count(key: str) -> int:
    # add() starts the window; incr() keeps its end, so that it cannot be pushed out for ever.
    if cache.add(key, 1, WINDOW_SECONDS):
        return 1
    try:
        return cache.incr(key)
    except ValueError:  # the window ended between the two calls
        return 1
