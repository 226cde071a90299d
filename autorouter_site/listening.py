"""The sockets on which granian accepts: what connections inherit, and when they go elsewhere."""

import logging
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

logger = logging.getLogger(__name__)

DESCRIPTORS = Path("/proc/self/fd")
# Longer than a relay waits for its client, so that the row says why the answer ended.
STALLED_MS = 45_000


def drop_stalled_clients(stalled_ms: int = STALLED_MS) -> None:
    """Have the kernel end each new connection whose client takes nothing for so long.

    Nobody else does: the server waits for such a client, with its socket and task, for as long as
    it stays. To be called once granian listens. Where there is no such option, as on macOS, or no
    /proc, it waits.
    """
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        return
    for descriptor in _listening():
        with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as own:
            own.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, stalled_ms)


def stop_listening() -> None:
    """Close the sockets on which granian accepts, which it does itself only after the drain.

    Each worker listens by itself on the same port (SO_REUSEPORT), and the kernel chooses among
    those that do. The descriptor becomes one of an idle socket instead of a free number: granian
    closes it in the end, and by then it could be another file's. Where there is no /proc, nothing
    is closed, and a worker that drains answers with 503.
    """
    try:
        with socket.socket() as idle:
            for descriptor in _listening():
                os.dup2(idle.fileno(), descriptor, inheritable=False)
    except OSError as error:
        logger.warning("Still listening while draining: %s", error.strerror)


def _listening() -> Iterator[int]:
    links = tuple(DESCRIPTORS.iterdir()) if DESCRIPTORS.exists() else ()
    for descriptor in (int(link.name) for link in links):
        # The one of the listing itself is closed by now.
        with suppress(OSError):
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode) and _accepts(descriptor):
                yield descriptor


def _accepts(descriptor: int) -> bool:
    with socket.socket(fileno=os.dup(descriptor)) as own:
        is_tcp = own.family in (socket.AF_INET, socket.AF_INET6)
        return is_tcp and bool(own.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
