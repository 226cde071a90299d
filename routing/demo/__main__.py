"""The command that serves the demo provider until SIGTERM or Ctrl-C."""

import argparse
import asyncio
import signal
import socket
import sys

from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from routing.demo.app import app

# Streams that are still open after that are cut: nothing of worth is lost here.
SHUTDOWN_SECONDS = 0.5


async def serve(host: str, port: int) -> None:
    server = Server(
        app,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
    )
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    serving = asyncio.create_task(server.serve())
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    server.stop()
    await asyncio.wait({serving}, timeout=SHUTDOWN_SECONDS)
    waiting.cancel()
    if serving.done():
        serving.result()


def require_free(host: str, port: int) -> None:
    """Exit where something listens already: granian would share the port without a word."""
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        sys.exit(f"The demo provider cannot listen on {host}:{port}: {error.strerror}.")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m routing.demo", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9190)
    options = parser.parse_args()
    require_free(options.host, options.port)
    asyncio.run(serve(options.host, options.port))


if __name__ == "__main__":
    main()
