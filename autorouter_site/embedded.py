"""The embedded PostgreSQL: a private server as a child of this process, on a Unix socket only."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg

from autorouter_site.embedded_place import EmbeddedError, locate, make_folders, programs
from autorouter_site.supervisor import dies_with_parent

NAME = "autorouter"
URL_START = f"postgresql://{NAME}@/{NAME}?"
LOG_BYTES = 1_000_000
LAST_LINES = 10
# A server whose quickstart was killed ends by itself within that time.
ENDING_SECONDS = 5.0
LOCK_NAME = "postmaster.pid"
# After a power cut the number that it holds may be that of any process of ours, or none: how
# PostgreSQL says so.
LOCKED = (
    f'"{LOCK_NAME}" already exists',
    f'"{LOCK_NAME}" is empty',
    f'data in lock file "{LOCK_NAME}"',
)
STALE = """
If {lock} names a process that is no PostgreSQL, or none, delete it and start again."""


def url(var_dir: Path) -> str:
    """Return the address of this data folder's server, whether or not it runs."""
    return URL_START + urlencode({"host": locate(var_dir).sockets}, safe="/")


class EmbeddedPostgres:
    """One server, from start to stop; its data outlives it."""

    def __init__(self, var_dir: Path, *, durable: bool = True) -> None:
        self.var_dir = var_dir.resolve()
        self.place = locate(self.var_dir)
        self.durable = durable
        self.log = self.var_dir / "log" / "postgres.log"
        # Where this start's lines begin; those before are of servers that are no more.
        self._log_begins = 0
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return url(self.var_dir)

    def start(self, deadline_seconds: float = 60.0) -> str:
        """Make the cluster if there is none, start it, and return its address once it answers."""
        make_folders(self.place, self.var_dir)
        self._refuse_second_server()
        folder = programs(self.place)
        if not self.place.data.exists():
            self._initdb(folder)
        self.process = self._spawn(folder)
        try:
            self._wait(time.monotonic() + deadline_seconds)
        except BaseException:
            self.stop()
            raise
        return self.url

    def stop(self, grace_seconds: float = 15.0) -> None:
        """End it: open transactions are rolled back, and the next start needs no recovery."""
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(signal.SIGINT)
        try:
            process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def check_alive(self) -> None:
        """Raise with the end of its log if it ended by itself."""
        if self.process is not None and self.process.poll() is not None:
            lines = "\n".join(self._last_lines())
            lock = self.place.data / LOCK_NAME
            advice = STALE.format(lock=lock) if any(word in lines for word in LOCKED) else ""
            raise EmbeddedError(
                f"The database ended with status {self.process.returncode}. "
                f"The end of {self.log}:\n{lines}{advice}"
            )

    def _last_lines(self) -> list[str]:
        if not self.log.exists():
            return []
        lines = self.log.read_bytes()[self._log_begins :].decode(errors="replace").splitlines()
        return lines[-LAST_LINES:]

    def _refuse_second_server(self) -> None:
        """Raise when another server has this data; let one that is just ending end."""
        deadline = time.monotonic() + ENDING_SECONDS
        while (pid := self._recorded_pid()) and time.monotonic() < deadline:
            if self._accepts():
                raise EmbeddedError(
                    f"The database in {self.place.data} is already running (process {pid}), "
                    "probably from another quickstart. End that one first, or if there is none, "
                    f"the database alone: kill -INT {pid}"
                )
            time.sleep(0.1)

    def _recorded_pid(self) -> int:
        """The process that the data folder names as its server, or 0 if there is none.

        It may be another one with the number of a server that crashed: PostgreSQL knows.
        """
        try:
            pid = int((self.place.data / LOCK_NAME).read_text().split()[0])
            os.kill(pid, 0)
        except (OSError, ValueError, IndexError):
            return 0
        return pid

    def _accepts(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _initdb(self, folder: Path) -> None:
        """Make the cluster beside its place, so that an interrupted one is never started."""
        unfinished = self.place.home / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        options = ["-U", NAME, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-instructions"]
        if not self.durable:
            options.append("--no-sync")
        command = [str(folder / "initdb"), "-D", str(unfinished), *options]
        made = subprocess.run(
            command, capture_output=True, text=True, check=False, **self._as_user()
        )
        if made.returncode:
            raise EmbeddedError(f"Making a database in {unfinished} failed: {made.stderr}")
        unfinished.rename(self.place.data)

    def _spawn(self, folder: Path) -> subprocess.Popen[bytes]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.place.sockets),
            "log_checkpoints": "off",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        command = [str(folder / "postgres"), "-D", str(self.place.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            self._log_begins = log.tell()
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C reaches us alone; we end the database last.
                start_new_session=True,
                preexec_fn=dies_with_parent(signal.SIGINT),  # noqa: PLW1509 - see supervisor.py
                **self._as_user(),
            )

    def _as_user(self) -> dict[str, Any]:
        """Run as the server's own user, in a folder that it may enter, without our secrets."""
        environ = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
        common: dict[str, Any] = {"cwd": self.place.home, "env": environ}
        if self.place.user is None:
            return common
        return common | {"user": self.place.user, "group": self.place.user, "extra_groups": []}

    def _wait(self, deadline: float) -> None:
        while True:
            try:
                self._make_database()
                return
            except psycopg.OperationalError as error:
                self.check_alive()
                if time.monotonic() > deadline:
                    raise EmbeddedError(f"The database does not answer: {error}") from error
            time.sleep(0.03)

    def _make_database(self) -> None:
        with self._connect() as connection:
            found = connection.execute(
                "select 1 from pg_database where datname = %s", (NAME,)
            ).fetchone()
            if found is None:
                connection.execute(f"create database {NAME}")

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            host=str(self.place.sockets),
            user=NAME,
            dbname="postgres",
            autocommit=True,
            connect_timeout=2,
        )
