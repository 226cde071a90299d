"""Connections to providers: to public addresses alone, and never deaf to a broken answer."""

import socket
from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from django.conf import settings

from routing.validators import is_private_host


class PublicResolver(aiohttp.ThreadedResolver):
    """Resolves names to public addresses alone, unless host and port are listed as private.

    Checked where the connection is made: a name that was public when it was saved may not be.
    """

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[Any]:
        found = await super().resolve(host, port, family)
        if f"{host}:{port}" in settings.AUTOROUTER_PRIVATE_UPSTREAMS:
            return list(found)
        public = [entry for entry in found if not is_private_host(entry["host"])]
        if not public:
            raise OSError(f"{host} has no public address; see AUTOROUTER_PRIVATE_UPSTREAMS")
        return public


class _Protocol(ResponseHandler):
    """Tells the reader of a body when its framing breaks.

    aiohttp 3.14 tells only who waits for the headers, so that a bad chunk size after them leaves
    the reader waiting for ever; seen with both halves of such an answer in packets of their own.
    """

    def set_exception(self, exc: Any, exc_cause: Any = None) -> None:
        super().set_exception(exc, *(() if exc_cause is None else (exc_cause,)))
        payload = self._payload
        if payload is not None and not payload.is_eof() and payload.exception() is None:
            payload.set_exception(aiohttp.ClientPayloadError("The answer's framing is broken."))


class Connector(aiohttp.TCPConnector):
    """Makes connections of that kind."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = partial(_Protocol, loop=self._loop)
