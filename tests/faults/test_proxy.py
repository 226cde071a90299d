"""The proxy itself: a fault that it does not bring about would prove nothing."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.faults.proxy import Proxy


def echo(listener: socket.socket) -> None:
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=echo_one, args=(peer,), daemon=True).start()


def echo_one(peer: socket.socket) -> None:
    with peer:
        try:
            while data := peer.recv(65536):
                peer.sendall(data)
        except OSError:
            return


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=echo, args=(listener,), daemon=True).start()
        with Proxy(listener.getsockname()[:2]) as running:
            yield running
        listener.shutdown(socket.SHUT_RDWR)


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=2)


def read(peer: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size and (data := peer.recv(65536)):
        received += data
    return bytes(received)


@pytest.mark.parametrize("faults", [{}, {"slice_bytes": 1}, {"jitter_seconds": 0.02}])
def test_what_passes_is_unchanged(proxy: Proxy, faults: dict[str, float]) -> None:
    proxy.set(**faults)
    with connect(proxy) as peer:
        peer.sendall(bytes(range(256)) * 4)

        assert read(peer, 1024) == bytes(range(256)) * 4


def test_a_delay_delays(proxy: Proxy) -> None:
    proxy.set(delay_seconds=0.2)
    with connect(proxy) as peer:
        started = time.monotonic()
        peer.sendall(b"hello")
        read(peer, 5)

    assert time.monotonic() - started >= 0.4


def test_a_cut_passes_so_many_bytes_and_resets(proxy: Proxy) -> None:
    proxy.set(cut_down_after=3)
    with connect(proxy) as peer:
        peer.sendall(b"hello")

        with pytest.raises(ConnectionResetError):
            read(peer, 5)


def test_what_was_swallowed_passes_later(proxy: Proxy) -> None:
    with connect(proxy) as peer:
        peer.sendall(b"one")
        read(peer, 3)
        proxy.swallow()
        time.sleep(0.05)
        peer.sendall(b"two")
        peer.settimeout(0.2)
        with pytest.raises(TimeoutError):
            peer.recv(3)
        proxy.heal()
        peer.settimeout(2)

        assert read(peer, 3) == b"two"


def test_a_proxy_that_refuses_serves_again_on_its_port(proxy: Proxy) -> None:
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    proxy.heal()

    with connect(proxy) as peer:
        peer.sendall(b"hello")
        assert read(peer, 5) == b"hello"


@pytest.mark.parametrize("how", ["hold", "deafen"])
def test_a_marker_silences_its_connection_alone(proxy: Proxy, how: str) -> None:
    proxy.set(**{how: b"COMMIT"})
    with connect(proxy) as silent, connect(proxy) as other:
        silent.sendall(b"COMMIT")
        assert proxy.caught.wait(2)
        other.sendall(b"hello")
        assert read(other, 5) == b"hello"
        silent.settimeout(0.2)

        with pytest.raises(TimeoutError):
            silent.recv(1)
