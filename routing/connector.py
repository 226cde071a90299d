"""Sockets to providers: to public addresses alone, unless host and port are listed as private."""

import asyncio
import errno
import socket
import ssl
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, zip_longest
from typing import Any

import httpx
from django.conf import settings

from routing.validators import is_private_host

CONNECT_SECONDS = 5.0
# How long what a name resolved to is kept; aiohttp kept it as long.
NAME_SECONDS = 10.0
LOOKUPS = 4
# Ours to run out of; they say nothing of the provider.
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.EADDRNOTAVAIL)

Address = tuple[socket.AddressFamily, Any]


class Resolver:
    """Looks names up in a thread, and once for all who ask within some seconds."""

    def __init__(self) -> None:
        self._lookups: dict[tuple[str, int], tuple[float, asyncio.Future[Any]]] = {}
        # Of their own: a resolver that hangs must not keep the journal from its thread.
        self._threads = ThreadPoolExecutor(LOOKUPS, thread_name_prefix="lookup")

    async def public(self, host: str, port: int) -> list[Address]:
        """Where a host may be connected to; raises OSError where it has no public address.

        Checked at each connection: a name that was public when it was saved may not be now.
        """
        found = await asyncio.shield(self._lookup(host, port))
        addresses = [(family, at) for family, _, _, _, at in found]
        if f"{host}:{port}" in settings.AUTOROUTER_PRIVATE_UPSTREAMS:
            return _alternating(addresses)
        public = [address for address in addresses if not is_private_host(address[1][0])]
        if not public:
            raise OSError(f"{host} has no public address; see AUTOROUTER_PRIVATE_UPSTREAMS")
        return _alternating(public)

    def _lookup(self, host: str, port: int) -> asyncio.Future[Any]:
        made, lookup = self._lookups.get((host, port), (0.0, None))
        is_old = time.monotonic() - made > NAME_SECONDS
        if lookup is None or (lookup.done() and (is_old or _has_failed(lookup))):
            loop = asyncio.get_running_loop()
            lookup = loop.run_in_executor(self._threads, _look_up, host, port)
            # Asked of each, so that a failure that nobody waits for is not logged as forgotten.
            lookup.add_done_callback(_has_failed)
            self._lookups[host, port] = time.monotonic(), lookup
        return lookup


def _has_failed(lookup: asyncio.Future[Any]) -> bool:
    return lookup.done() and (lookup.cancelled() or lookup.exception() is not None)


def _look_up(host: str, port: int) -> Any:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def _alternating(addresses: Sequence[Address]) -> list[Address]:
    """By turns of the kind that the resolver names first and the other: one of them may be dead."""
    first = [address for address in addresses if address[0] == addresses[0][0]]
    others = [address for address in addresses if address[0] != addresses[0][0]]
    return [address for address in chain(*zip_longest(first, others)) if address is not None]


class Connector:
    """Makes connections, over TLS where the address says https."""

    def __init__(self) -> None:
        self._resolver = Resolver()
        self._tls: ssl.SSLContext | None = None

    async def connect(self, protocol: asyncio.Protocol, url: httpx.URL) -> None:
        """Connect a protocol within some seconds; raises httpx.ConnectError or ConnectTimeout."""
        loop, host = asyncio.get_running_loop(), url.raw_host.decode("ascii")
        end = loop.time() + CONNECT_SECONDS
        options: dict[str, Any] = {}
        if url.scheme == "https":
            options = {"ssl": self._context(), "server_hostname": host.rstrip(".")}
        try:
            async with asyncio.timeout_at(end):
                port = url.port or (443 if options else 80)
                opened = await _first(await self._resolver.public(host, port), end)
                try:
                    await loop.create_connection(lambda: protocol, sock=opened, **options)
                except BaseException:
                    opened.close()
                    raise
        except TimeoutError as error:
            raise httpx.ConnectTimeout("Connecting took too long.") from error
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno in EXHAUSTED:
                raise httpx.PoolTimeout("This process has no socket left.") from error
            raise httpx.ConnectError("Connecting failed.") from error

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


async def _first(addresses: Sequence[Address], end: float) -> socket.socket:
    """A connection to the first address that answers.

    Each but the last gets half of the time that is left, so that a dead one costs no call.
    """
    loop = asyncio.get_running_loop()
    *others, last = addresses
    for address in others:
        try:
            async with asyncio.timeout((end - loop.time()) / 2):
                return await _connected(address)
        except OSError:  # as TimeoutError is
            continue
    return await _connected(last)


async def _connected(address: Address) -> socket.socket:
    family, at = address
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setblocking(False)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(opened, at)
    except BaseException:
        opened.close()
        raise
    return opened
