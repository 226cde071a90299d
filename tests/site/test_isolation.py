"""Who gets what at every address there is; an address without a line in a table fails a test.

By status alone: what a list holds, and what a form does, is tested beside each page.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Group
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from activity.models import Rejection, Spend
from routing.models import AutoRouterSettings, Credit, Pin
from tests.conftest import Api, in_db
from tests.factories import make_endpoint, make_generation, make_key, make_secret, make_user

# What nobody, another user, staff without permissions, a superuser and the owner get in the end,
# in this order: what the others ask for, the owner may delete. IN is the page to sign in.
IN = "sign-in"
OWN = (IN, 404, 404, 404, 200)
EACH = (IN, 200, 200, 200, 200)
LEFT = (IN, IN, IN, IN, IN)
READ = (IN, 405, 405, 405, 405)
NEVER = (405, 405, 405, 405, 405)
GONE = (410, 410, 410, 410, 410)
STAFF = (IN, 403, 200, 200, 403)
STAFF_READ = (IN, 403, 405, 405, 403)
GRANTED = (IN, 403, 403, 200, 403)
REFUSED = (IN, 403, 403, 403, 403)
SOME = (IN, 403, 404, 200, 403)
ABSENT = (IN, 403, 404, 404, 403)

# GET and POST.
PAGES = {
    "": (EACH, EACH),
    "activity": (EACH, READ),
    "activity/export.csv": (EACH, READ),
    "activity/<slug:generation_id>": (OWN, READ),
    "sign-in": (EACH, EACH),
    "sign-out": (EACH, LEFT),
    "account/password": (EACH, EACH),
    "account/theme": (NEVER, EACH),
    "settings": (EACH, EACH),
    "settings/plugins": (EACH, READ),
    "settings/plugins/auto-router": (EACH, EACH),
    "settings/plugins/auto-router/preview": (NEVER, (401, 200, 200, 200, 200)),
    "settings/keys": (EACH, READ),
    "settings/keys/new": (EACH, EACH),
    "settings/keys/<int:key_id>": (OWN, OWN),
    "settings/keys/<int:key_id>/delete": (OWN, OWN),
    "settings/keys/<int:key_id>/disable": (OWN, OWN),
    "settings/keys/<int:key_id>/enable": (OWN, OWN),
    "sign-in/link/<str:token>": (GONE, GONE),
    "admin": (STAFF, STAFF),
    "admin/": (STAFF, STAFF),
    "admin/login/": (STAFF, STAFF),
    "admin/logout/": (STAFF_READ, (IN, 403, IN, IN, 403)),
    "admin/password_change/": (STAFF, STAFF),
    "admin/password_change/done/": (STAFF, STAFF_READ),
    "admin/autocomplete/": (REFUSED, STAFF_READ),
    "admin/jsi18n/": (STAFF, STAFF_READ),
    "admin/r/<path:content_type_id>/<path:object_id>/": (ABSENT, ABSENT),
    "admin/^(?P<app_label>auth|activity|routing)/$": (SOME, SOME),
    "admin/(?P<url>.*)$": (ABSENT, ABSENT),
    "admin/auth/user/<id>/password/": (GRANTED, GRANTED),
}
# Of each model: what may be added, deleted, changed.
EDITED, KEPT = (GRANTED, GRANTED, GRANTED), (REFUSED, REFUSED, REFUSED)
MODELS = {
    "auth/group": EDITED,
    "auth/user": EDITED,
    "activity/generation": KEPT,
    "activity/spend": KEPT,
    "activity/rejection": KEPT,
    "routing/provider": EDITED,
    "routing/price": (GRANTED, REFUSED, REFUSED),
    "routing/endpoint": EDITED,
    "routing/languagemodel": EDITED,
    "routing/apikey": (REFUSED, GRANTED, GRANTED),
    "routing/credit": EDITED,
    "routing/autoroutersettings": EDITED,
    "routing/pin": KEPT,
}
for model, (adding, deleting, changing) in MODELS.items():
    PAGES |= {
        f"admin/{model}/": (GRANTED, GRANTED),
        f"admin/{model}/add/": (adding, adding),
        f"admin/{model}/<path:object_id>/history/": (GRANTED, GRANTED),
        f"admin/{model}/<path:object_id>/delete/": (deleting, deleting),
        f"admin/{model}/<path:object_id>/change/": (GRANTED, changing),
        f"admin/{model}/<path:object_id>/": (GRANTED, GRANTED),
    }

# What no key, a disabled one, an expired one, another user's and the owner's get.
KEYED = (401, 401, 401, 200, 200)
KEYED_READ = (401, 401, 401, 405, 405)
PUBLIC = (200, 200, 200, 200, 200)
NOTHING = (404, 404, 404, 404, 404)
API = {
    "chat/completions": (NEVER, (401, 401, 401, 400, 400)),
    "models": (PUBLIC, NEVER),
    "models/<path:slug>": (PUBLIC, NEVER),
    "key": (KEYED, KEYED_READ),
    "auth/key": (KEYED, KEYED_READ),
    "generation": ((401, 401, 401, 404, 200), KEYED_READ),
    r"[\s\S]*": (NOTHING, NOTHING),
}
CALLS = {f"{mount}{route}": API[route] for mount in ("api/v1/", "v1/") for route in API}
CALLS[r"^(api/)?v1\Z"] = (NOTHING, NOTHING)

EXAMPLES = {
    "admin/^(?P<app_label>auth|activity|routing)/$": "admin/routing/",
    "admin/(?P<url>.*)$": "admin/nothing",
    r"api/v1/[\s\S]*": "api/v1/nothing",
    r"v1/[\s\S]*": "v1/nothing",
    r"^(api/)?v1\Z": "api/v1",
    "api/v1/generation": "api/v1/generation?id=<generation_id>",
    "v1/generation": "v1/generation?id=<generation_id>",
}
METHODS = {"GET": Client.get, "POST": Client.post}


def cells(table: dict[str, Any]) -> list[Any]:
    """Each route with each method and what it is answered with."""
    return [
        pytest.param(method, route, wanted, id=f"{method} /{route}")
        for route, rows in table.items()
        for method, wanted in zip(METHODS, rows, strict=True)
    ]


def routes(patterns: Sequence[URLPattern | URLResolver], start: str = "") -> Iterator[str]:
    for one in patterns:
        if isinstance(one, URLResolver):
            yield from routes(one.url_patterns, f"{start}{one.pattern}")
        else:
            yield f"{start}{one.pattern}"


def address(route: str, **values: object) -> str:
    example = EXAMPLES.get(route, route)
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(values[found[1]]), example)


def a_row_of(route: str) -> str:
    """The primary key of a row of the model that an address of the admin is about."""
    about = re.match(r"admin/(\w+)/(\w+)/<path:object_id>", route)
    return quote(apps.get_model(*about.groups()).objects.earliest("pk").pk) if about else "1"


def browser(user: Any) -> Client:
    client = Client()
    if user is not None:
        client.force_login(user)
    return client


def outcome(response: HttpResponse) -> int | str:
    """The status in the end, or the word for the page to sign in."""
    return IN if response.wsgi_request.path == "/sign-in" else response.status_code


def answers(users: list[Any], method: str, path: str) -> tuple[int | str, ...]:
    ask = METHODS[method]
    return tuple(outcome(ask(browser(one), path, follow=True)) for one in users)


async def replies(api: Api, secrets: list[str], method: str, path: str) -> tuple[int, ...]:
    headers = [{"Authorization": f"Bearer {one}"} if one else {} for one in secrets]
    sent = [await api.client.request(method, path, headers=one) for one in headers]
    return tuple(one.status_code for one in sent)


def make_secrets(owner: Any) -> list[str]:
    """None, a disabled one, one that expired, one of another user, one of the owner."""
    past = timezone.now() - timedelta(days=1)
    keys = (make_secret(owner, disabled=True), make_secret(owner, expires_at=past), make_secret())
    return ["", *(secret for _, secret in (*keys, make_secret(owner)))]


@pytest.fixture
def owner(db: None) -> Any:
    """A user who has one of everything, in a database with a row of every model."""
    owner = make_user()
    make_endpoint()
    Group.objects.create(name="Readers")
    Spend.objects.create(owner="key:1", period="total")
    Rejection.objects.create(day=timezone.now().date(), key_id=1, user_id=owner.pk, code=403)
    Credit.objects.create(user=owner, amount=1)
    AutoRouterSettings.objects.create(user=owner)
    Pin.objects.create(key="k", user_id=owner.pk, model="a/one", endpoint_id=1)
    return owner


def test_every_address_has_a_line() -> None:
    assert {*PAGES, *CALLS} == {*routes(get_resolver().url_patterns)}


@pytest.mark.parametrize(("method", "route", "wanted"), cells(PAGES))
def test_a_page_is_for_whom_it_is(owner: Any, method: str, route: str, wanted: Any) -> None:
    own = {"generation_id": make_generation(owner).pk, "key_id": make_key(owner).pk}
    others = {"object_id": a_row_of(route), "id": owner.pk, "content_type_id": 1, "token": "x"}
    staff, superuser = make_user(is_staff=True), make_user(is_staff=True, is_superuser=True)
    users = [None, make_user(), staff, superuser, owner]

    found = answers(users, method, address(route, **own, **others))

    assert found == wanted


@pytest.mark.parametrize(("method", "route", "wanted"), cells(CALLS))
async def test_a_call_is_for_whose_key_it_is(
    api: Api, method: str, route: str, wanted: tuple[int, ...]
) -> None:
    generation = await in_db(make_generation)(api.key.user)
    secrets = await in_db(make_secrets)(api.key.user)
    path = address(route, generation_id=generation.pk, slug="openrouter/auto")

    assert await replies(api, secrets, method, path) == wanted
