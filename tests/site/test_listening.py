import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autorouter_site import listening
from autorouter_site.listening import drop_stalled_clients, stop_listening


@pytest.fixture(autouse=True)
def descriptors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where a test says which files are its own: others of this process listen too."""
    own = tmp_path / "fd"
    own.mkdir()
    monkeypatch.setattr(listening, "DESCRIPTORS", own)
    return own


def test_who_stops_listening_keeps_what_was_accepted(descriptors: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        (descriptors / str(listener.fileno())).touch()
        address = listener.getsockname()
        with socket.create_connection(address) as client, listener.accept()[0] as accepted:
            stop_listening()

            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address, timeout=2)
            client.sendall(b"still here")
            assert accepted.recv(100) == b"still here"


def test_what_listens_to_this_machine_alone_is_left(descriptors: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "own")
    with socket.socket(socket.AF_UNIX) as own, socket.socket(socket.AF_UNIX) as client:
        own.bind(path)
        own.listen()
        (descriptors / str(own.fileno())).touch()

        stop_listening()

        client.connect(path)


def test_a_client_that_takes_nothing_loses_its_connection(descriptors: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        (descriptors / str(listener.fileno())).touch()
        drop_stalled_clients(stalled_ms=100)
        address = listener.getsockname()
        with (
            socket.create_connection(address),
            listener.accept()[0] as accepted,
            pytest.raises(TimeoutError, match="timed out"),
        ):
            accepted.sendall(bytes(50_000_000))


@contextmanager
def no_free_file() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_a_free_file_it_goes_on_listening(caplog: pytest.LogCaptureFixture) -> None:
    with no_free_file():
        stop_listening()

    assert caplog.messages == ["Still listening while draining: Too many open files"]
