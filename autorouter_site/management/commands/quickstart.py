"""Starts everything with one command, and ends everything with Ctrl-C."""

import errno
import fcntl
import http.client
import io
import signal
import socket
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connections
from django.http.request import validate_host

from autorouter_site import sign_in_link
from autorouter_site.bootstrap import (
    EVERY_ADDRESS,
    LOCAL_HOSTS,
    as_host,
    cannot_write,
    is_of_our_files,
)
from autorouter_site.broker import install_pgmq
from autorouter_site.embedded import EmbeddedError, EmbeddedPostgres
from autorouter_site.first_start import Account, admin_account, collect_static
from autorouter_site.supervisor import ChildDied, Supervisor
from routing import catalog

READY_SECONDS = 60.0
USUAL_PORT, LARGEST_PORT = 8000, 65_535
# Up to here only root may listen.
LARGEST_RESERVED = 1023
# What another port does not help against: no name that is known, or an address elsewhere.
NOT_OURS = (errno.EADDRNOTAVAIL, socket.EAI_NONAME, socket.EAI_AGAIN, socket.EAI_FAIL)
NO_ADDRESS_OF_OURS = (
    "The host must be an address of this machine: make run HOST=127.0.0.1 for itself alone, "
    "HOST=0.0.0.0 for all that it has."
)
ACCOUNT = """
  User {user}, password {password}
  API key {key}
  Shown this once: keep them.
"""
READY = """
Auto Router answers at {url}
Sign in (once, within 15 minutes): {url}/sign-in/link/{token}

{hint}
  curl {url}/api/v1/chat/completions \\
    -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \\
    -d '{{"model": "openrouter/auto", "messages": [{{"role": "user", "content": "Hello"}}]}}'

{providers}{notes}
{places}
Logs: {logs}. Ctrl-C ends everything.
"""
WORKER = """celery --app autorouter_site worker --beat --pool threads --concurrency 2
    --loglevel WARNING --without-gossip --without-mingle --without-heartbeat"""
WEB = """granian --interface asgi --http 1 --no-ws --loop uvloop --respawn-failed-workers
    --workers-kill-timeout 20s --backlog 2048 --backpressure 2048 --log-level warning
    --http1-header-read-timeout 10000 --http1-buffer-size 65536
    autorouter_site.asgi:application"""
KEY_SHOWN = "Your key was shown at the first start; make another one under API keys."
NOT_LET_IN = """
Only requests to {names} are let in. Name what else clients call this machine:
  AUTOROUTER_HOSTS={names},192.0.2.7,router.example.com make run HOST={host}"""
ONLY_HTTPS = """
AUTOROUTER_HTTPS is on: pages answer through your proxy alone, at its https:// address."""


class Command(BaseCommand):
    help = "Start everything: database, web server, worker and demo provider. Ctrl-C ends it."
    # They would run before there is a database.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=_port, default=USUAL_PORT, help="port to listen on")
        parser.add_argument("--workers", type=int, default=1, help="web processes, one a core")
        parser.add_argument("--no-demo", action="store_true", help="no offline demo provider")

    def handle(self, *args: Any, **options: Any) -> None:
        _on_signals(signal.default_int_handler)
        try:
            self._serve(options)
        except OSError as error:
            if not is_of_our_files(error):
                raise
            raise CommandError(cannot_write(error, settings.VAR_DIR)) from error

    def _serve(self, options: dict[str, Any]) -> None:
        with _only_one(settings.VAR_DIR / "quickstart.lock"):
            database = EmbeddedPostgres(settings.VAR_DIR)
            supervisor = Supervisor(settings.VAR_DIR / "log")
            try:
                self._run(database, supervisor, options)
            except KeyboardInterrupt:
                self.stdout.write("\nEnding ...")
            except (ChildDied, EmbeddedError) as error:
                raise CommandError(str(error)) from error
            except DatabaseError as error:
                raise CommandError(_why_no_database(database, error)) from error
            finally:
                # The second one waits for nothing.
                _on_signals(lambda *_: supervisor.kill())
                # Open streams are finished with the demo provider, and settled in the database.
                supervisor.stop("web server", "worker")
                supervisor.stop("demo provider")
                database.stop()

    def _run(
        self, database: EmbeddedPostgres, supervisor: Supervisor, options: dict[str, Any]
    ) -> None:
        _require_free(options["host"], options["port"])
        account = self._prepare(database)
        with self._step("start"), _all_or_nothing(supervisor):
            _start_children(supervisor, options)
            _wait_until_ready(supervisor, options["host"], options["port"])
        self._report(account, options["host"], options["port"], _places(database))
        while True:
            supervisor.watch(1.0)
            database.check_alive()

    def _prepare(self, database: EmbeddedPostgres) -> Account:
        """Bring database and files up to date; the first start also makes the admin user."""
        if _is_used(database):
            with self._step("database"):
                database.start()
        with self._step("tables"):
            call_command("migrate", interactive=False, verbosity=0)
            install_pgmq()
        with self._step("catalogue"):
            call_command("load_catalogue", stdout=io.StringIO())
        with self._step("pages"):
            collect_static()
        account = admin_account()
        if account.key:
            self.stdout.write(ACCOUNT.format(**vars(account)))
        return account

    def _report(self, account: Account, host: str, port: int, places: str) -> None:
        self.stdout.write(
            READY.format(
                url=_url(host, port),
                token=sign_in_link.make(account.user),
                hint="Try it:" if account.key else KEY_SHOWN,
                key=account.key or "$AUTOROUTER_KEY",
                providers=_providers(),
                notes=_notes(host),
                places=places,
                logs=settings.VAR_DIR / "log",
            )
        )
        # A connection kept from here on would hold a place in the server for nothing.
        connections.close_all()

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        self.stdout.write(f"  {name:<10}", ending="")
        self.stdout.flush()
        try:
            yield
        except BaseException:
            self.stdout.write("failed")
            raise
        self.stdout.write(f"{time.monotonic() - began:5.1f} s")


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Hold the data folder for this process; the lock ends with it, however it ends."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CommandError(
                f"Another quickstart is running on {path.parent}. End it first, or give this one "
                "another folder with AUTOROUTER_VAR_DIR."
            ) from error
        yield


def _is_used(database: EmbeddedPostgres) -> bool:
    """Whether DATABASE_URL is the embedded server's."""
    return settings.DATABASES["default"]["OPTIONS"].get("host") == str(database.place.sockets)


def _why_no_database(database: EmbeddedPostgres, error: DatabaseError) -> str:
    """What the database refused; of ours, first whether it ended, of another, which one it is."""
    if _is_used(database):
        try:
            database.check_alive()
        except EmbeddedError as ended:
            return str(ended)
        return f"{str(error).strip()}\nSee {database.log}."
    named = settings.DATABASES["default"]
    at = named["OPTIONS"].get("host") or f"{named['HOST'] or 'localhost'}:{named['PORT'] or 5432}"
    return (
        f"{str(error).strip()}\nThat is of the database {named['NAME']} at {at}, which "
        "DATABASE_URL names. See that it runs and lets its user make tables, or correct "
        f"DATABASE_URL in the environment or in {settings.VAR_DIR / 'env'}."
    )


def _places(database: EmbeddedPostgres) -> str:
    """Say which folders to keep; the database of root may be outside of the data folder."""
    place, folder = database.place, database.var_dir
    if not _is_used(database):
        return f"Secrets: {folder}. Data: the database of DATABASE_URL."
    if folder in place.home.parents:
        return f"Data and secrets: {folder}."
    return f"Secrets: {folder}. Data: {place.home}, which belongs to the system user {place.user}."


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= LARGEST_PORT):
        raise ArgumentTypeError(f"{text} is no port; take one from 1 to {LARGEST_PORT}.")
    return int(text)


def _require_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        problem = f"Cannot listen on port {port} of {host}: {error.strerror}."
        if error.errno in NOT_OURS:
            raise CommandError(f"{problem} {NO_ADDRESS_OF_OURS}") from error
        other = port + 1 if LARGEST_RESERVED < port < LARGEST_PORT else USUAL_PORT
        raise CommandError(
            f"{problem} End what listens there, or take another port: make run PORT={other}, or "
            f"quickstart --port {other}"
        ) from error


def _reachable(host: str) -> str:
    """An address of this machine that leads to a server listening on `host`."""
    return EVERY_ADDRESS.get(host, host)


def _url(host: str, port: int) -> str:
    return f"http://{as_host(_reachable(host))}:{port}"


def _notes(host: str) -> str:
    """What keeps requests from being answered, and what to set."""
    names = settings.ALLOWED_HOSTS
    if host in EVERY_ADDRESS:
        is_closed = set(names) <= set(LOCAL_HOSTS)
    else:
        is_closed = not validate_host(as_host(host), names)
    notes = NOT_LET_IN.format(names=",".join(names), host=host) if is_closed else ""
    return notes + (ONLY_HTTPS if settings.AUTOROUTER_HTTPS else "")


@contextmanager
def _all_or_nothing(supervisor: Supervisor) -> Iterator[None]:
    """Kill the children when they do not all come up: nothing is served yet, and a process of
    granian that is still starting would miss a SIGTERM."""
    try:
        yield
    except BaseException:
        supervisor.kill()
        raise


def _start_children(supervisor: Supervisor, options: dict[str, Any]) -> None:
    if settings.AUTOROUTER_DEMO_UPSTREAM and not options["no_demo"]:
        host, _, port = settings.AUTOROUTER_DEMO_UPSTREAM.rpartition(":")
        supervisor.start("demo provider", "routing.demo", "--host", host, "--port", port)
    schedule = str(settings.VAR_DIR / "celerybeat-schedule")
    supervisor.start("worker", *WORKER.split(), "--schedule", schedule)
    numbers = (f"--{name}={options[name]}" for name in ("host", "port", "workers"))
    supervisor.start("web server", *WEB.split(), *numbers)


def _wait_until_ready(supervisor: Supervisor, host: str, port: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while problem := _unready(host, port):
        if time.monotonic() > deadline:
            raise CommandError(
                f"The web server is not ready after {READY_SECONDS:.0f} s: GET "
                f"{_url(host, port)}/readyz {problem}. "
                f"See {settings.VAR_DIR / 'log' / 'web-server.log'}."
            )
        supervisor.watch(0.1)


def _unready(host: str, port: int) -> str:
    """What came of asking whether it is ready, or "" once it is."""
    connection = http.client.HTTPConnection(_reachable(host), port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        answer = response.read(200).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return f"gave no answer ({error})"
    finally:
        connection.close()
    return "" if response.status == 200 else f"answered {response.status} ({answer})"


def _providers() -> str:
    """Say who answers, how real models would if none does yet, and which keys change nothing."""
    reports = catalog.read_providers()
    useful = [one for one in reports if one.on and one.usable_models]
    names = [one.provider.name for one in useful if one.provider.slug != catalog.DEMO]
    who = ", ".join(names) or ("the offline demo provider" if useful else "nobody yet")
    hint = "" if names else " For real models: OPENROUTER_API_KEY=sk-or-... make run"
    return "\n".join([f"Answers come from {who}.{hint}", *_useless_keys(reports)])


def _useless_keys(reports: list[catalog.ProviderReport]) -> list[str]:
    """A sentence for each variable that is set and switches nothing on."""
    idle = [one for one in reports if not one.usable_models]
    variables = ((one.provider.environment_variable, one.why) for one in idle)
    keys = settings.AUTOROUTER_PROVIDER_KEYS
    return [f"{name} is set, but of no use: {why}." for name, why in variables if keys.get(name)]


def _on_signals(handler: Callable[[int, FrameType | None], Any]) -> None:
    """Have a service manager or a closed terminal end us as Ctrl-C does.

    nohup ignores SIGHUP, which stays so. A script ignores SIGINT for what it starts with &, but
    nobody who sends it means to be ignored.
    """
    signal.signal(signal.SIGINT, handler)
    signal.signal(signal.SIGTERM, handler)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, handler)
