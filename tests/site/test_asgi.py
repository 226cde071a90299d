import asyncio
import gc
import threading
from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.backends.signals import connection_created
from django.urls import reverse

from autorouter_site.asgi import EXPORT_PATH
from autorouter_site.turns import Turns
from tests.conftest import Api, in_db
from tests.factories import make_offer


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


@pytest.fixture
async def busy(api: Api) -> Api:
    """An application whose places for requests to Django are all taken."""
    turns = api.application._turns = Turns(1, wait_seconds=0.01)
    await turns.take(asyncio.Event().wait)
    return api


async def test_a_busy_server_says_when_to_ask_again(busy: Api) -> None:
    response = await busy.client.get("/api/v1/models")

    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    assert "busy" in response.json()["error"]["message"]


async def test_a_busy_server_says_so_on_a_page(busy: Api) -> None:
    response = await busy.client.get("/sign-in")

    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    assert "The server is busy" in response.text


async def test_completions_and_probes_wait_for_nobody(busy: Api) -> None:
    await in_db(make_offer)()
    await busy.refresh()

    assert (await busy.complete()).status_code == 200
    assert (await busy.client.get("/readyz")).status_code == 200


async def test_an_export_has_a_place_of_its_own(busy: Api) -> None:
    assert reverse("activity-export") == EXPORT_PATH

    response = await busy.client.get(EXPORT_PATH)

    assert response.status_code == 302
    assert response.headers["location"].startswith("/sign-in")


@pytest.fixture
def connected() -> Iterator[list[str]]:
    """The threads that connected to the database; each request to Django has one of its own."""
    made: list[str] = []
    connection_created.connect(note := lambda **_: made.append(threading.current_thread().name))
    yield made
    connection_created.disconnect(note)


@pytest.mark.parametrize("path", ["/api/v1/models", "/api/v1/models/a/one"])
async def test_models_are_listed_without_a_query(api: Api, connected: list[str], path: str) -> None:
    await in_db(make_offer)("a/one")
    await api.refresh()
    connected.clear()

    response = await api.client.get(path)

    assert response.status_code == 200
    assert "a/one" in response.text
    # What the process reads in the background is in threads that asyncio names.
    assert [name for name in connected if not name.startswith("asyncio")] == []
