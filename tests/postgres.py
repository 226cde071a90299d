"""Gives the tests a real PostgreSQL and their own secrets, before Django reads its settings.

Loaded with `-p tests.postgres` (pyproject.toml), earlier than pytest-django. The server starts
with the first test that needs a database. AUTOROUTER_TEST_DATABASE_URL names another one.
"""

import atexit
import base64
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

from autorouter_site.embedded import EmbeddedPostgres

VAR_DIR = Path(tempfile.mkdtemp(prefix="autorouter-tests-"))
# The embedded server of root runs as another user, who must pass through here.
VAR_DIR.chmod(0o711)
(VAR_DIR / "static").mkdir()
# Where pytest ends too early for pytest_unconfigure.
atexit.register(shutil.rmtree, VAR_DIR, ignore_errors=True)
SERVER = EmbeddedPostgres(VAR_DIR, durable=False)

os.environ["AUTOROUTER_VAR_DIR"] = str(VAR_DIR)
os.environ["DATABASE_URL"] = os.environ.get("AUTOROUTER_TEST_DATABASE_URL", SERVER.url)
os.environ["SECRET_KEY"] = "secret-key-of-the-tests-0123456789-0123456789-0123456789"
os.environ["AUTOROUTER_KEY_PEPPER"] = "pepper-of-the-tests-0123456789-0123456789"
os.environ["AUTOROUTER_CREDENTIAL_KEYS"] = f"1:{base64.b64encode(bytes(32)).decode()}"


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> None:
    if fixturedef.argname != "django_db_modify_db_settings":
        return
    if SERVER.process is None and "AUTOROUTER_TEST_DATABASE_URL" not in os.environ:
        SERVER.start()


def pytest_unconfigure() -> None:
    SERVER.stop()
    shutil.rmtree(VAR_DIR, ignore_errors=True)
