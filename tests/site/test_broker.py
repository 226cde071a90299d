from io import StringIO

import psycopg
from django.core.management import call_command
from django.db import connection
from pgmq import PGMQueue
from psycopg.conninfo import conninfo_to_dict

from autorouter_site import broker


def test_tables_are_created_once(db):
    assert broker.install_pgmq() is True
    assert broker.install_pgmq() is False


def test_command_says_what_it_did(db):
    first, second = StringIO(), StringIO()

    call_command("install_broker", stdout=first)
    call_command("install_broker", stdout=second)

    assert first.getvalue() == "Created the broker's tables in the schema pgmq.\n"
    assert second.getvalue() == "The broker's tables are there already.\n"


def test_another_broker_needs_no_tables(settings):
    settings.CELERY_BROKER_URL = "redis://cache.example/0"

    assert broker.install_pgmq() is False
    assert broker.transport_options() == {}


def test_broker_reaches_the_database_that_django_uses(db):
    with psycopg.connect(broker.conn_string(connection.settings_dict)) as reached:
        name = reached.info.dbname

    assert name == connection.settings_dict["NAME"]


def test_broker_connects_with_the_options_of_the_database():
    database = {
        "NAME": "router",
        "USER": "me",
        "PASSWORD": "it's secret",
        "HOST": "db.example",
        "PORT": 5433,
        "OPTIONS": {"sslmode": "verify-full", "pool": True, "connect_timeout": 2},
    }

    options = conninfo_to_dict(broker.conn_string(database))

    assert options == {
        "dbname": "router",
        "user": "me",
        "password": "it's secret",
        "host": "db.example",
        "port": "5433",
        "sslmode": "verify-full",
        "connect_timeout": "2",
    }


def test_messages_come_back_out(transactional_db):
    broker.install_pgmq()
    queue = PGMQueue(
        conn_string=broker.conn_string(connection.settings_dict), init_extension=False, pool_size=1
    )
    queue.create_queue("letters")

    queue.send("letters", {"to": "us"})
    message = queue.pop("letters")
    queue.close()

    assert message.message == {"to": "us"}
