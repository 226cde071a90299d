"""The default broker: PGMQ tables in the database that the product has anyway."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from pgmq.install import get_embedded_install_sql
from psycopg import pq
from psycopg.conninfo import make_conninfo

# Any number, the same in every process: two installations at once would collide.
INSTALL_LOCK = 7_416_220_811


def is_pgmq() -> bool:
    return settings.CELERY_BROKER_URL.startswith("pgmq:")


def transport_options() -> dict[str, Any]:
    """What Celery's transport needs; its own URL parser knows no socket folders."""
    if not is_pgmq():
        return {}
    return {
        "conn_string": conn_string(settings.DATABASES["default"]),
        # The tables come from plain SQL: no server extension is needed.
        "init_extension": False,
        # One short read a second. Long polls would keep a statement open in the server and
        # delay the end of the worker; no task of ours is worth less than a second.
        "wait_time_seconds": 0,
        "polling_interval": 1.0,
        "pool_size": 4,
    }


def conn_string(database: Mapping[str, Any]) -> str:
    """Return an entry of DATABASES as libpq keywords, its OPTIONS such as sslmode included."""
    options = {
        "dbname": database["NAME"],
        "user": database["USER"],
        "password": database["PASSWORD"],
        "host": database["HOST"],
        "port": database["PORT"],
    } | database.get("OPTIONS", {})
    known = {default.keyword.decode() for default in pq.Conninfo.get_defaults()}
    return make_conninfo(
        **{name: value for name, value in options.items() if name in known and value != ""}
    )


def install_pgmq() -> bool:
    """Create the tables unless they are there; say whether they had to be."""
    if not is_pgmq():
        return False
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [INSTALL_LOCK])
        cursor.execute("select to_regclass('pgmq.meta')")
        if cursor.fetchone() != (None,):
            return False
        cursor.execute(get_embedded_install_sql())
    return True
