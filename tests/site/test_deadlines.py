from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from activity import connections
from autorouter_site.deadlines import bound_statements
from tests.conftest import Api, in_db

SHOWN = "SELECT current_setting('statement_timeout'), current_setting('lock_timeout')"
TOO_LONG = "The database took too long"


@pytest.fixture(autouse=True)
def options(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connection options that are as before after the test."""
    database = settings.DATABASES["default"]
    given = {"options": "-c work_mem=5MB", **database["OPTIONS"]}
    monkeypatch.setitem(database, "OPTIONS", given)
    # The connection that is there already has the very same.
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", given)


@contextmanager
def new_connection() -> Iterator[Any]:
    made = connection.copy()
    with made.cursor() as cursor:
        yield cursor
    made.close()


@contextmanager
def locked(table: str) -> Iterator[None]:
    """A migration holds the table for itself."""
    with new_connection() as cursor:
        cursor.execute(f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield
        cursor.execute("ROLLBACK")


def test_django_gives_up_in_time_and_keeps_what_the_operator_set(db: None) -> None:
    bound_statements(30_000, 5_000)

    with new_connection() as cursor:
        cursor.execute(f"{SHOWN}, current_setting('work_mem')")
        assert cursor.fetchone() == ("30s", "5s", "5MB")


async def test_completions_keep_their_shorter_limits(async_db: None) -> None:
    bound_statements(30_000, 5_000)

    async with await connections.connect("autorouter-tests") as database:
        assert await (await database.execute(SHOWN)).fetchone() == ("2s", "2s")


@pytest.fixture
def impatient(api: Api) -> Api:
    """The API of a process whose pages wait for nothing."""
    bound_statements(statement_ms=2_000, lock_ms=50)
    return api


async def test_a_page_that_is_cut_off_says_so(impatient: Api) -> None:
    lock = locked("django_session")
    await in_db(lock.__enter__)()

    response = await impatient.client.get("/activity", headers={"Cookie": "sessionid=" + "a" * 32})
    await in_db(lock.__exit__)(None, None, None)

    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    assert TOO_LONG in response.text
    assert "Skip to content" in response.text


async def test_a_small_call_that_is_cut_off_says_so_in_json(impatient: Api) -> None:
    lock = locked("activity_spend")
    await in_db(lock.__enter__)()

    headers = {"Authorization": f"Bearer {impatient.secret}"}
    response = await impatient.client.get("/api/v1/key", headers=headers)
    await in_db(lock.__exit__)(None, None, None)

    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    assert TOO_LONG in response.json()["error"]["message"]
