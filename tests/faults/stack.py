"""The whole product as real processes, with everything between them in a test's hands.

    clients - [front] - gateway, two workers - [back] - upstream
                              |
                           [store] - PostgreSQL - Celery

What stands in brackets is a proxy; what only the log tests need, they start themselves.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
import psycopg

from autorouter_site.embedded import EmbeddedError, EmbeddedPostgres
from autorouter_site.management.commands.quickstart import WORKER
from tests.faults import books
from tests.faults.gateway import ROOT, Gateway
from tests.faults.load import Ask, Clients, Seen
from tests.faults.processes import FaultyUpstream, start_upstream
from tests.faults.proxy import Proxy

STREAMS = ["stream-20", "stream-60", "stream-200", "long-stream", "hang-mid-stream"]
FAILURES = ["http-413", "http-500", "error-mid-stream"]
SCRIPTS = ["ok", "ok-slow", "hang", "big-event", "gzip-triple", *FAILURES, *STREAMS]
# granian ends when the same worker ends twice in 5.5 s, as one that cannot start does.
CRASH_LOOP_SECONDS = 6.5
TENANTS = 120
SETUP = """
import json
from django.core.management import call_command
from autorouter_site.broker import install_pgmq
from tests.factories import make_offer, make_secret
call_command("migrate", verbosity=0)
install_pgmq()
for where, address, scripts in json.loads('''%s'''):
    for script in scripts:
        model, at = f"faulty/{script}", {"base_url": address}
        slug = model if where == "faulty" else f"{where}/{script}"
        make_offer(slug, where, upstream_model=model, at=at)
print(json.dumps([(key.pk, secret) for key, secret in (make_secret() for _ in range(%d))]))
"""


class Stack:
    """Starts everything; `heal` brings back whatever a test broke."""

    def __init__(self, folder: Path, workers: int = 2, disk: Path | None = None) -> None:
        """`disk` is where the database lives, if elsewhere."""
        with ExitStack() as exits:
            # What has started ends again where the rest does not start.
            self._start(exits, folder, workers, disk or folder)
            self._exits = exits.pop_all()

    def _start(self, exits: ExitStack, folder: Path, workers: int, disk: Path) -> None:
        folder.chmod(0o711)
        (folder / "static").mkdir()
        self.folder, self.worker_count = folder, workers
        self.database = EmbeddedPostgres(disk)
        exits.callback(self.database.stop)
        self.database.start()
        self.upstream: FaultyUpstream = exits.enter_context(start_upstream(folder))
        socket_file = self.database.place.sockets / ".s.PGSQL.5432"
        self.store = exits.enter_context(Proxy(socket_file))
        self.back = exits.enter_context(Proxy(("127.0.0.1", self.upstream.port)))
        listed = f"127.0.0.1:{self.upstream.port},127.0.0.1:{self.back.port}"
        through = f"postgres://autorouter@127.0.0.1:{self.store.port}/autorouter"
        self._environment = os.environ | {
            "DATABASE_URL": self.database.url,
            "AUTOROUTER_VAR_DIR": str(folder),
            "AUTOROUTER_PRIVATE_UPSTREAMS": listed,
            "PYTHONWARNINGS": "ignore",
        }
        self._tenants = self._set_up()
        self._key_ids: dict[str, int] = {}
        self._probe = self.tenant()
        self.replaced_at = 0.0
        self.gateway = Gateway(folder, listed, through)
        exits.callback(self.gateway.close)
        self.gateway.start(workers)
        self.front = exits.enter_context(Proxy(("127.0.0.1", self.gateway.port)))
        self.celery: subprocess.Popen[bytes] | None = None
        exits.callback(self.kill_celery)
        self.clients = Clients(self.gateway.port)
        exits.callback(self.clients.close)

    def _set_up(self) -> list[tuple[int, str]]:
        back = f"http://127.0.0.1:{self.back.port}/v1"
        offers = [("faulty", self.upstream.base_url, SCRIPTS), ("back", back, SCRIPTS)]
        program = SETUP % (orjson.dumps(offers).decode(), TENANTS)
        shell = self.manage("shell", "--verbosity", "0", "--command", program)
        tenants: list[tuple[int, str]] = orjson.loads(shell.splitlines()[-1])
        return tenants

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "-W", "ignore", "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self._environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    def tenant(self, limit: str | None = None) -> str:
        """The secret of a key that nobody used before; it has a user of its own."""
        key_id, secret = self._tenants.pop()
        self._key_ids[secret] = key_id
        if limit is not None:
            self.sql('UPDATE routing_apikey SET "limit" = %s WHERE id = %s', limit, key_id)
        return secret

    def key_id(self, secret: str) -> int:
        return self._key_ids[secret]

    def sql(self, statement: str, *parameters: Any) -> list[Any]:
        with psycopg.connect(self.database.url, autocommit=True) as connection:
            cursor = connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def ask(self, secret: str, model: str = "faulty/ok", **options: Any) -> Seen:
        return self.clients.send(Ask(secret, model, **options)).result(timeout=120)

    def kill_database(self) -> None:
        assert self.database.process is not None
        self.database.process.kill()
        self.database.process.wait()
        self.database.process = None

    def start_database(self) -> None:
        """Start again; what a killed server left behind may take a moment to end."""
        deadline = time.monotonic() + 30
        while True:
            try:
                self.database.start()
                return
            except EmbeddedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def start_celery(self) -> None:
        schedule = str(self.folder / "celerybeat-schedule")
        with (self.folder / "celery.log").open("ab") as log:
            self.celery = subprocess.Popen(
                [sys.executable, "-m", *WORKER.split(), "--schedule", schedule],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill_celery(self) -> None:
        if self.celery is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.celery.pid, signal.SIGKILL)
            self.celery.wait()
            self.celery = None

    def kill_worker(self, number: int = 0) -> None:
        os.kill(self.gateway.workers()[number].pid, signal.SIGKILL)
        self.replaced_at = time.monotonic()

    def heal(self) -> None:
        for proxy in (self.store, self.back, self.front):
            proxy.heal()
        if self.database.process is None:
            self.start_database()
        if self.gateway.worker_count != self.worker_count:
            self.gateway.stop()
        if not self.gateway.is_alive():
            self.gateway.start(self.worker_count)
        wait_until(self.is_serving, 30)
        time.sleep(max(0.0, self.replaced_at + CRASH_LOOP_SECONDS - time.monotonic()))

    def is_serving(self) -> bool:
        """Whether all workers are there and serve; the kernel chooses among them."""
        if not self.gateway.is_alive() or len(self.gateway.workers()) != self.worker_count:
            return False
        probes = self.clients.send_all([Ask(self._probe)] * 4 * self.worker_count)
        return all(probe.end == "done" for probe in probes)

    def check_books(self) -> books.Report:
        """Compare what all clients ever saw, what is logged and what was served."""
        seen = [one.generation_id for one in self.clients.seen if one.generation_id]
        unseen = len(self.clients.seen) - len(seen)
        served = self.upstream.settled_ledger()
        return books.check(self.database.url, served, seen, unseen=unseen)

    def close(self) -> None:
        self._exits.close()


def wait_until(is_so: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"it did not come about within {seconds} s"
        time.sleep(0.05)


def memory_kb(stack: Stack) -> int:
    """What all workers hold."""
    return sum(worker.memory_kb() for worker in stack.gateway.workers())


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that the database's own user may pass through, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="autorouter-faults-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
