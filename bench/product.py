"""Auto Router as the bench runs it: a database of its own, 30 models, one web process."""

import io
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autorouter_site import bootstrap
from autorouter_site.embedded import EmbeddedPostgres
from bench.machine import on_core
from bench.processes import Server
from bench.traffic import Target

APPLICATION = "autorouter_site.asgi:application"
# The one provider that the catalogue has an endpoint of for every model of the pool.
PROVIDER = "openrouter"


@dataclass(frozen=True)
class Account:
    """Who the load comes from: a key of the API, and a session of the pages."""

    user_id: int
    key: str
    session: str


@dataclass(frozen=True)
class Product:
    """The running database, and what it takes to start web servers on it."""

    folder: Path
    core: int
    port: int
    database_pid: int
    account: Account


@contextmanager
def prepared(folder: Path, upstream_port: int, port: int, core: int) -> Iterator[Product]:
    """Start a new, empty, durable database on this process's core and fill in the catalogue."""
    os.environ["AUTOROUTER_VAR_DIR"] = str(folder)
    os.environ["AUTOROUTER_PRIVATE_UPSTREAMS"] = f"127.0.0.1:{upstream_port}"
    # One key sends all of the load, as much as a worker takes.
    os.environ["AUTOROUTER_MAX_PARALLEL"] = "2000"
    os.environ["DJANGO_SETTINGS_MODULE"] = "autorouter_site.settings"
    database = EmbeddedPostgres(folder)
    os.environ["DATABASE_URL"] = database.url
    bootstrap.write_secrets(folder, os.environ)
    shutil.rmtree(database.place.data, ignore_errors=True)
    try:
        database.start()
        assert database.process is not None
        account = _fill(upstream_port)
        yield Product(folder, core, port, database.process.pid, account)
    finally:
        database.stop()


@contextmanager
def serving(product: Product, application: str, **more: str) -> Iterator[Target]:
    """Run one web process as production does, on the core of servers."""
    command = granian(application, product.port, product.core)
    with Server(command, product.folder / "web.log", {**os.environ, **more}) as server:
        server.wait_until_ready(f"http://127.0.0.1:{product.port}/readyz")
        yield Target(
            name="auto router",
            port=product.port,
            path="/api/v1/chat/completions",
            model="openrouter/auto",
            headers=(f"authorization: Bearer {product.account.key}",),
            processes=(server.pid,),
        )


def granian(application: str, port: int, core: int) -> list[str]:
    """The command of quickstart, for one process."""
    from autorouter_site.management.commands.quickstart import WEB

    *options, _ = WEB.split()
    here = f"--host 127.0.0.1 --port {port} --workers 1 {application}"
    return on_core(core)([sys.executable, "-m", *options, *here.split()])


def _fill(upstream_port: int) -> Account:
    import django

    django.setup()
    from django.core.management import call_command

    from autorouter_site.first_start import collect_static

    call_command("migrate", interactive=False, verbosity=0)
    call_command("load_catalogue", stdout=io.StringIO())
    collect_static()
    _point_at(upstream_port)
    return _account()


def _point_at(upstream_port: int) -> None:
    """Send every model to the fake upstream, those included that it no longer serves."""
    from routing.credentials import save_credential
    from routing.models import Endpoint, Provider

    Provider.objects.exclude(slug=PROVIDER).update(enabled=False)
    Provider.objects.filter(slug=PROVIDER).update(base_url=f"http://127.0.0.1:{upstream_port}/v1")
    save_credential(Provider.objects.get(slug=PROVIDER), "sk-fake")
    Endpoint.objects.filter(provider__slug=PROVIDER).update(enabled=True)


def _account() -> Account:
    from django.test import Client

    from autorouter_site.first_start import admin_account

    admin = admin_account()
    client = Client()
    client.force_login(admin.user)
    return Account(admin.user.pk, admin.key, client.cookies["sessionid"].value)


def candidates() -> int:
    """How many models the newest decision chose from."""
    from activity.candidates import read
    from activity.models import Generation

    newest: dict[str, Any] = Generation.objects.newest_first()[:1].get().decision
    return len(read(newest))
