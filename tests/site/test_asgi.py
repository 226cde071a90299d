import gc

import pytest
from django.db import connection

from tests.conftest import Api, in_db


def connections_open() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


@pytest.fixture
def uncollected() -> object:
    """What nobody closes stays open: no collection comes to its rescue."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    gc.collect()


async def test_a_request_leaves_no_connection_behind(api: Api, uncollected: object) -> None:
    headers = {"Authorization": f"Bearer {api.secret}"}
    before = await in_db(connections_open)()

    statuses = [(await api.client.get("/api/v1/key", headers=headers)).status_code for _ in "12345"]

    assert statuses == [200] * 5
    assert await in_db(connections_open)() <= before + 1
