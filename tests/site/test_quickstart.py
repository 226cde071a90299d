import http.server
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from django.core.management import CommandError
from django.db import OperationalError

from autorouter_site.bootstrap import BASE_DIR, LOCAL_HOSTS, SECRETS
from autorouter_site.embedded import EmbeddedPostgres
from autorouter_site.embedded_place import Place
from autorouter_site.management.commands import quickstart as command
from autorouter_site.supervisor import Supervisor
from routing import presets

pytestmark = pytest.mark.slow
READY = "Ctrl-C ends everything."
FOR_REAL_MODELS = "For real models: OPENROUTER_API_KEY=sk-or-... make run"
OF_NO_USE = (
    "PERPLEXITY_API_KEY is set, but of no use: no endpoint of Perplexity is on; switch one on or "
    "add one in the admin."
)
IGNORED = (signal.SIGHUP, signal.SIGINT)
HELLO = {"model": "openrouter/auto", "messages": [{"role": "user", "content": "Hello"}]}


class Quickstart:
    """The command as a person runs it; `output` is what it has printed."""

    def __init__(self, var_dir: Path, *arguments: str, **variables: str) -> None:
        self.port = free_port()
        self.output = ""
        self.var_dir = var_dir
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "quickstart", f"--port={self.port}", *arguments],
            cwd=BASE_DIR,
            env=clean_environment() | {"AUTOROUTER_VAR_DIR": str(var_dir)} | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_until_ready(self) -> "Quickstart":
        watchdog = threading.Timer(60, self.process.kill)
        watchdog.start()
        for line in self.process.stdout:
            self.output += line
            if READY in line:
                break
        watchdog.cancel()
        assert READY in self.output, self.output
        return self

    def wait_until_ended(self) -> int:
        rest, _ = self.process.communicate(timeout=60)
        self.output += rest
        return self.process.returncode

    def end(self) -> int:
        self.process.terminate()
        return self.wait_until_ended()

    def ask(self, key: str, host: str = "127.0.0.1") -> httpx.Response:
        return httpx.post(
            f"http://{host}:{self.port}/api/v1/chat/completions",
            headers={"Authorization": f"Bearer {key}"},
            json=HELLO,
        )

    def processes(self, word: str = "") -> list[int]:
        """Every process that works on this data folder, by a word of its command line."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_text()
                about = command + (folder / "environ").read_text()
            except OSError:
                continue
            if str(self.var_dir) in about and word in command:
                found.append(int(folder.name))
        return found


@pytest.fixture
def var_dir() -> Iterator[Path]:
    """A folder that the database's own user may reach when root runs the tests."""
    with tempfile.TemporaryDirectory(prefix="autorouter-quickstart-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def start(var_dir) -> Iterator[type[Quickstart]]:
    started = []

    def start(*arguments: str, **variables: str) -> Quickstart:
        started.append(Quickstart(var_dir, *arguments, **variables))
        return started[-1]

    yield start
    for quickstart in started:
        quickstart.process.terminate()
        quickstart.process.communicate(timeout=60)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def clean_environment() -> dict[str, str]:
    """Without what the tests set for themselves, and without keys of real providers."""
    ours = {*SECRETS, "DATABASE_URL", "DJANGO_SETTINGS_MODULE"}
    return {
        name: value
        for name, value in os.environ.items()
        if name not in ours and not name.endswith("_API_KEY") and "AUTOROUTER" not in name
    }


def test_one_command_starts_everything_and_ends_it(start):
    first = start().wait_until_ready()
    key = re.search(r"sk-ar-v1-\w+", first.output).group()

    answer = first.ask(key)
    link = re.search(r"http\S+/sign-in/link/\S+", first.output).group()
    signed_in = httpx.get(link, follow_redirects=True)
    rival = start()
    refused = rival.wait_until_ended()
    status = first.end()

    assert answer.status_code == 200, answer.text
    assert answer.json()["usage"]["cost"] > 0
    assert signed_in.status_code == 200
    assert refused == 1
    assert "Another quickstart is running" in rival.output
    assert f"ecrets: {first.var_dir}." in first.output
    assert status == 0
    assert first.processes() == []

    second = start().wait_until_ready()

    assert "sk-ar-v1-" not in second.output
    assert "password" not in second.output
    assert second.ask(key).status_code == 200

    os.kill(second.processes("celery")[0], signal.SIGKILL)

    assert second.wait_until_ended() == 1
    assert "The worker ended by SIGKILL" in second.output
    assert second.processes() == []


@pytest.fixture
def ignoring() -> Iterator[None]:
    """Children ignore what nohup and a script's & have them ignore."""
    before = {signum: signal.signal(signum, signal.SIG_IGN) for signum in IGNORED}
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


def test_nohup_outlives_its_terminal_and_ends_when_told(ignoring, start):
    quickstart = start().wait_until_ready()

    quickstart.process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        quickstart.process.wait(1)
    quickstart.process.send_signal(signal.SIGINT)

    assert quickstart.wait_until_ended() == 0
    assert "Ending ..." in quickstart.output
    assert quickstart.processes() == []


def test_taken_port_is_told_with_a_way_out(start):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        quickstart = start(f"--port={port}")

        assert quickstart.wait_until_ended() == 1

    assert f"port {port} " in quickstart.output
    assert f"--port {port + 1}" in quickstart.output


def test_a_file_that_cannot_be_made_is_told_in_a_sentence(start, var_dir):
    (var_dir / "quickstart.lock").mkdir()
    quickstart = start()

    assert quickstart.wait_until_ended() == 1

    assert quickstart.output.startswith(f"CommandError: Cannot write {var_dir}/quickstart.lock: ")
    assert quickstart.processes() == []


def test_a_database_that_is_not_there_is_told_by_its_place(start, var_dir):
    quickstart = start(DATABASE_URL="postgresql://me:secret-word@127.0.0.1:1/mine")

    assert quickstart.wait_until_ended() == 1

    assert "Connection refused" in quickstart.output
    assert "That is of the database mine at 127.0.0.1:1, which DATABASE_URL" in quickstart.output
    assert "secret-word" not in quickstart.output
    assert "Traceback" not in quickstart.output


def test_a_database_of_ours_that_ended_is_told_as_such(settings, monkeypatch, var_dir):
    database = EmbeddedPostgres(var_dir, durable=False)
    options = {"host": str(database.place.sockets)}
    monkeypatch.setitem(settings.DATABASES["default"], "OPTIONS", options)
    database.start()
    database.process.kill()
    database.process.wait()

    told = command._why_no_database(database, OperationalError("the connection is closed"))

    assert told.startswith("The database ended with status -9. The end of ")


@pytest.mark.parametrize("port", ["99999", "65536", "0", "-1", "http"])
def test_what_is_no_port_is_told_with_what_is(start, port):
    quickstart = start(f"--port={port}")

    assert quickstart.wait_until_ended() == 2
    assert f"{port} is no port; take one from 1 to 65535." in quickstart.output


@pytest.mark.parametrize("host", ["300.1.1.1", "203.0.113.7", "::ffff:0:1:2"])
def test_what_is_no_address_of_ours_is_told_with_what_is(host):
    with pytest.raises(CommandError, match=r"HOST=127\.0\.0\.1") as told:
        command._require_free(host, free_port())

    assert "another port" not in str(told.value)


def test_the_last_port_is_followed_by_the_usual_one():
    with (
        socket.create_server(("127.0.0.1", 65535)),
        pytest.raises(CommandError, match="PORT=8000,"),
    ):
        command._require_free("127.0.0.1", 65535)


def test_starts_on_another_address_behind_tls(start):
    quickstart = start("--host=127.0.0.2", AUTOROUTER_HTTPS="true").wait_until_ready()
    key = re.search(r"sk-ar-v1-\w+", quickstart.output).group()

    assert quickstart.ask(key, "127.0.0.2").status_code == 200
    assert "AUTOROUTER_HTTPS is on" in quickstart.output
    assert "AUTOROUTER_HOSTS" not in quickstart.output


@pytest.mark.parametrize(
    ("host", "names", "is_told"),
    [
        ("0.0.0.0", [*LOCAL_HOSTS], True),
        ("0.0.0.0", [*LOCAL_HOSTS, "192.0.2.2"], False),
        ("192.0.2.2", ["router.example"], True),
        ("192.0.2.2", [".example", "192.0.2.2"], False),
        ("127.0.0.1", [*LOCAL_HOSTS], False),
    ],
)
def test_who_is_not_let_in_is_told_what_to_set(settings, host, names, is_told):
    settings.ALLOWED_HOSTS = names

    assert (f"AUTOROUTER_HOSTS={','.join(names)}," in command._notes(host)) is is_told


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("PERPLEXITY_API_KEY", f"the offline demo provider. {FOR_REAL_MODELS}\n{OF_NO_USE}"),
        ("OPENROUTER_API_KEY", "OpenRouter."),
    ],
)
def test_a_key_that_changes_nothing_is_told_at_the_start(db, settings, name, told):
    settings.AUTOROUTER_DEMO_UPSTREAM = "127.0.0.1:9190"
    settings.AUTOROUTER_PRIVATE_UPSTREAMS = ["127.0.0.1:9190"]
    settings.AUTOROUTER_PROVIDER_KEYS = {name: "a-key"}
    presets.load()

    assert command._providers() == f"Answers come from {told}"


@pytest.mark.parametrize(
    ("home", "database_url", "told"),
    [
        ("postgres", "ours", "Data and secrets: {var}."),
        ("/var/lib/autorouter/1", "ours", "Secrets: {var}. Data: /var/lib/autorouter/1, which"),
        ("postgres", "theirs", "Secrets: {var}. Data: the database of DATABASE_URL."),
    ],
)
def test_the_folders_to_keep_are_named(settings, monkeypatch, tmp_path, home, database_url, told):
    database = EmbeddedPostgres(tmp_path)
    database.place = Place(tmp_path / home, tmp_path / "ours", "autorouter-db")
    options = {"host": str(tmp_path / database_url)}
    monkeypatch.setitem(settings.DATABASES["default"], "OPTIONS", options)

    assert command._places(database).startswith(told.format(var=tmp_path))


@pytest.fixture
def unready() -> Iterator[int]:
    """The port of a server that never gets ready."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503)
            self.end_headers()
            self.wfile.write(b"no database")

        def log_message(self, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield server.server_port
        server.shutdown()


def test_server_that_is_never_ready_is_told_with_its_answer(unready, monkeypatch, tmp_path):
    monkeypatch.setattr(command, "READY_SECONDS", 0.0)

    with pytest.raises(CommandError, match=r"/readyz answered 503 \(no database\)"):
        command._wait_until_ready(Supervisor(tmp_path), "127.0.0.1", unready)


def test_help_needs_no_database(start):
    quickstart = start("--help")

    assert quickstart.wait_until_ended() == 0
    assert "--no-demo" in quickstart.output
    assert not (quickstart.var_dir / "postgres").exists()
