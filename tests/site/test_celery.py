import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.utils import timezone
from kombu import Connection

from autorouter_site import broker
from autorouter_site.celery import app
from autorouter_site.management.commands.quickstart import WORKER
from autorouter_site.supervisor import Supervisor
from routing.models import Pin
from routing.tasks import delete_expired_pins

SCHEDULE = app.conf.beat_schedule


@pytest.fixture
def worker(transactional_db, monkeypatch, tmp_path) -> Iterator[Supervisor]:
    """A worker process on the database of the tests."""
    broker.install_pgmq()
    database = connection.settings_dict
    where = urlencode({"host": database["OPTIONS"]["host"]})
    monkeypatch.setenv("DATABASE_URL", f"postgresql://autorouter@/{database['NAME']}?{where}")
    supervisor = Supervisor(tmp_path)
    supervisor.start("worker", *WORKER.split(), "--schedule", str(tmp_path / "schedule"))
    yield supervisor
    supervisor.stop("worker")


@pytest.fixture
def broker_connection(transactional_db) -> Iterator[Connection]:
    options = broker.transport_options()
    options |= {"conn_string": broker.conn_string(connection.settings_dict)}
    with app.connection(transport_options=options) as made:
        yield made


def wait_until(happened: Callable[[], bool], supervisor: Supervisor) -> bool:
    deadline = time.monotonic() + 30
    while not happened() and time.monotonic() < deadline:
        supervisor.watch(0.1)
    return happened()


@pytest.mark.parametrize("name", SCHEDULE)
def test_scheduled_task_exists(name):
    app.loader.import_default_modules()

    assert SCHEDULE[name]["task"] in app.tasks


@pytest.mark.parametrize("name", SCHEDULE)
def test_missed_runs_do_not_pile_up(name):
    assert SCHEDULE[name]["options"]["expires"] <= SCHEDULE[name]["schedule"]


def test_only_expired_pins_are_deleted(db, settings):
    settings.AUTOROUTER_STICKY_SECONDS = 300
    now = timezone.now()
    make_pin("idle", now - timedelta(seconds=310))
    make_pin("busy", now - timedelta(seconds=290))

    delete_expired_pins()

    assert list(Pin.objects.values_list("key", flat=True)) == ["busy"]


@pytest.mark.slow
def test_worker_runs_what_is_sent_to_it(worker, broker_connection):
    make_pin("idle", timezone.now() - timedelta(days=1))

    delete_expired_pins.apply_async(connection=broker_connection)

    assert wait_until(lambda: not Pin.objects.exists(), worker)


def make_pin(key, last_success):
    return Pin.objects.create(
        key=key, user_id=1, model="a/one", endpoint_id=1, last_success=last_success
    )
