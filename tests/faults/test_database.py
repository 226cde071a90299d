import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import psycopg
import pytest

from autorouter_site.embedded import EmbeddedPostgres
from tests.faults.gateway import ROOT, Gateway
from tests.faults.processes import FaultyUpstream

pytestmark = pytest.mark.slow

SETUP = """
from tests.factories import make_offer, make_secret
make_offer("faulty/stream-60", upstream_model="faulty/stream-60", at={"base_url": "%s"})
print(make_secret()[1])
"""


class Stack:
    """A gateway on a database of its own, which a test may kill."""

    def __init__(self, folder: Path, upstream: FaultyUpstream) -> None:
        self.database = EmbeddedPostgres(folder)
        self.database.start()
        self.folder = folder
        private = f"127.0.0.1:{upstream.port}"
        environment = {"DATABASE_URL": self.database.url, "AUTOROUTER_VAR_DIR": str(folder)}
        self._environment = os.environ | environment | {"AUTOROUTER_PRIVATE_UPSTREAMS": private}
        self._manage("migrate", "--verbosity", "0")
        shell = self._manage("shell", "--verbosity", "0", "--command", SETUP % upstream.base_url)
        self.secret = shell.split()[-1]
        self.gateway = Gateway(folder, private, self.database.url)
        self.gateway.start()

    def kill_database(self) -> None:
        assert self.database.process is not None
        self.database.process.kill()
        self.database.process.wait()
        self.database.process = None

    def rows(self) -> list[Any]:
        with psycopg.connect(self.database.url) as connection:
            rows = "SELECT status, completion_tokens FROM activity_generation ORDER BY created_at"
            return connection.execute(rows).fetchall()

    def close(self) -> None:
        self.gateway.stop()
        self.database.stop()

    def _manage(self, *arguments: str) -> str:
        command = [sys.executable, "-W", "ignore", "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self._environment, capture_output=True, text=True, check=True
        )
        return done.stdout


@pytest.fixture
def stack(tmp_path: Path, upstream: FaultyUpstream) -> Iterator[Stack]:
    tmp_path.chmod(0o711)
    (tmp_path / "static").mkdir()
    stack = Stack(tmp_path, upstream)
    yield stack
    stack.close()


def ask(stack: Stack, **fields: Any) -> Any:
    body = {
        "model": "faulty/stream-60",
        "messages": [{"role": "user", "content": "Hello"}],
        **fields,
    }
    return httpx.stream(
        "POST",
        f"{stack.gateway.url}/api/v1/chat/completions",
        json=body,
        headers={"Authorization": f"Bearer {stack.secret}"},
        timeout=20,
    )


def test_a_killed_database_loses_no_row_and_breaks_no_stream(stack: Stack) -> None:
    with ask(stack, stream=True) as running:
        lines = running.iter_lines()
        next(lines)
        stack.kill_database()
        started = time.monotonic()
        with ask(stack) as refused:
            answer = orjson.loads(refused.read())
        seconds = time.monotonic() - started
        rest = list(lines)

    assert (refused.status_code, answer["error"]["code"]) == (503, 503)
    assert refused.headers["Retry-After"]
    assert seconds < 3
    assert [line for line in rest if line][-1] == "data: [DONE]"
    assert list((stack.folder / "journal").glob("*.jsonl"))

    stack.database.start()

    deadline = time.monotonic() + 5
    while (rows := stack.rows()) != [("completed", 60)] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert rows == [("completed", 60)]
    with ask(stack) as served:
        assert served.status_code == 200
