"""What was asked, what was answered and every secret stay out of the database, logs and files."""

from pathlib import Path
from typing import Any

import pytest

from tests.faults.answers import WORDS
from tests.faults.load import Ask, ends
from tests.faults.stack import Stack, wait_until

pytestmark = pytest.mark.slow

PROMPT, TOOL, SESSION = "canary-prompt", "canary-tool", "canary-talk"
# What providers say of themselves, and the key that the rig saved for each of them.
PROVIDER, CREDENTIAL = "secret-detail", "sk-faulty-credential"
MESSAGES = [
    {"role": "system", "content": PROMPT},
    {"role": "user", "content": [{"type": "text", "text": PROMPT}]},
]
FIELDS: tuple[tuple[str, Any], ...] = (
    ("messages", MESSAGES),
    ("tools", [{"type": "function", "function": {"name": "f", "description": TOOL}}]),
    ("session_id", SESSION),
)
SCRIPTS = ("ok", "stream-20", "http-413", "http-500", "error-mid-stream", "gzip-triple")
TABLES = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname !~ '^pg_'"


def in_tables(stack: Stack, word: str) -> list[str]:
    find = "SELECT count(*) FROM {} AS row WHERE row::text LIKE %s"
    tables = [table for (table,) in stack.sql(TABLES)]
    return [table for table in tables if stack.sql(find.format(table), f"%{word}%") != [(0,)]]


def in_files(folder: Path, word: str) -> list[str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return [str(path) for path in files if word.encode() in path.read_bytes()]


def test_what_was_said_and_every_secret_is_nowhere(stack: Stack) -> None:
    secret = stack.tenant("50")
    wishes = [
        Ask(secret, f"faulty/{script}", streams, fields=FIELDS)
        for script in SCRIPTS
        for streams in (False, True)
    ]
    wishes += [Ask(secret, fields=(*FIELDS, ("temperature", PROMPT)))]

    seen = stack.clients.send_all(wishes)
    running = stack.clients.send(Ask(secret, "faulty/stream-60", True, fields=FIELDS))
    begun = "SELECT 1 FROM activity_attempt WHERE model = 'faulty/stream-60' AND status = 'open'"
    wait_until(lambda: stack.sql(begun), 5)
    stack.kill_database()
    running.result(20)
    stack.heal()

    assert set(ends(seen)) == {"done", "refused", "error"}
    words = (PROMPT, TOOL, SESSION, PROVIDER, CREDENTIAL, "".join(WORDS), secret)
    found = {word: in_tables(stack, word) + in_files(stack.folder, word) for word in words}
    assert not any(found.values()), found
    # What is kept on purpose is found where it is.
    assert in_tables(stack, "faulty/error-mid-stream")
    assert in_files(stack.folder, "waits in the journal")
