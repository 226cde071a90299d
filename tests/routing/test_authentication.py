from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.test import Client
from django.utils import timezone

from activity.models import Generation
from routing.authentication import bearer
from routing.errors import AuthenticationFailed, InvalidRequest
from tests.conftest import Api, in_db
from tests.factories import make_secret, make_user
from tests.routing.stories import offer

HELLO = {"model": "openrouter/auto", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.mark.parametrize(
    "header",
    ["", " ", "Bearer", "Bearer   ", "Basic abc", "Token abc", "sk-ar-v1-abc", "Bearer\tabc"],
)
def test_a_header_without_a_key_is_refused(header: str) -> None:
    with pytest.raises(AuthenticationFailed, match=r"Authentication|Authorization"):
        bearer(header)


def test_a_missing_header_is_called_missing() -> None:
    with pytest.raises(AuthenticationFailed, match="Missing Authentication header"):
        bearer("")


@pytest.mark.parametrize("header", ["Bearer a", "bearer a", "BEARER a", " Bearer  a "])
def test_the_scheme_is_read_without_case(header: str) -> None:
    assert bearer(header) == "a"


def test_two_headers_are_one_too_many() -> None:
    with pytest.raises(InvalidRequest, match="one Authorization header"):
        bearer("Bearer a,Bearer b")


def forged(secret: str) -> dict[str, str]:
    return {
        "wrong checksum": secret[:-1] + ("0" if secret[-1] != "0" else "1"),
        "beginning of a key": secret[:20] + "x" * (len(secret) - 20),
        "injection": "' OR 1=1--",
        "escaped NUL": "%00",
        "8 KB": "x" * 8000,
        "emoji": "\N{FOX FACE}",
        "lower case": secret.lower(),
    }


@pytest.fixture
def secret(db: None) -> str:
    return make_secret()[1]


@pytest.mark.parametrize("kind", forged("x" * 70))
def test_a_forged_key_is_unknown_without_a_query(
    client: Client, secret: str, kind: str, django_assert_num_queries: Any
) -> None:
    header = f"Bearer {forged(secret)[kind]}".encode().decode("latin-1")

    with django_assert_num_queries(0):
        response = client.get("/api/v1/key", headers={"Authorization": header})

    assert response.status_code == 401
    assert response.json()["error"]["metadata"]["error_type"] == "authentication"
    assert response["WWW-Authenticate"] == "Bearer"


def test_a_key_elsewhere_than_in_the_header_does_not_count(client: Client, secret: str) -> None:
    client.cookies["key"] = secret

    response = client.get(f"/api/v1/key?api_key={secret}")

    assert response.status_code == 401
    assert "Missing Authentication header" in response.json()["error"]["message"]


STATES: dict[str, dict[str, Any]] = {
    "This API key is disabled": {"disabled": True},
    "This API key expired on 2026-11-21 at 12:30 UTC": {
        "expires_at": datetime(2026, 11, 21, 12, 30, 59, tzinfo=UTC),
        "disabled": True,
    },
    "The user of this API key is deactivated": {"user": {"is_active": False}},
}
OFF = pytest.mark.parametrize(("told", "state"), STATES.items())


def make_key_that_is(state: dict[str, Any]) -> str:
    owner = make_user(**state.get("user", {}))
    return make_secret(owner, **{name: state[name] for name in state if name != "user"})[1]


@OFF
def test_a_key_that_is_off_says_why(
    client: Client, db: None, told: str, state: dict[str, Any]
) -> None:
    headers = {"Authorization": f"Bearer {make_key_that_is(state)}"}

    response = client.get("/api/v1/key", headers=headers)

    assert response.status_code == 401
    assert response.json()["error"]["message"].startswith(told)


@OFF
async def test_a_key_that_is_off_completes_nothing(
    api: Api, told: str, state: dict[str, Any]
) -> None:
    secret = await in_db(make_key_that_is)(state)

    response = await api.post(HELLO, secret)

    assert response.status_code == 401
    assert response.json()["error"]["message"].startswith(told)
    assert not await Generation.objects.aexists()


@pytest.mark.parametrize(("minutes", "status"), [(30, 200), (-30, 401)])
async def test_a_key_expires_by_the_clock_of_the_database(
    api: Api, monkeypatch: pytest.MonkeyPatch, minutes: int, status: int
) -> None:
    await offer(api, {})
    now = timezone.now()
    secret = (await in_db(make_secret)(expires_at=now + timedelta(minutes=minutes)))[1]
    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(minutes=2 * minutes))

    completed = await api.post(HELLO, secret)
    headers = {"Authorization": f"Bearer {secret}"}
    known = await in_db(Client().get)("/api/v1/key", headers=headers)

    assert (completed.status_code, known.status_code) == (status, status)


@pytest.mark.parametrize("kind", ["wrong checksum", "beginning of a key", "injection", "8 KB"])
async def test_a_forged_key_completes_nothing(api: Api, kind: str) -> None:
    response = await api.post(HELLO, forged(api.secret)[kind])

    assert response.status_code == 401
    assert response.json()["error"]["metadata"]["error_type"] == "authentication"


async def test_a_key_that_is_deleted_completes_nothing_more(api: Api) -> None:
    await offer(api, {})
    first = await api.post(HELLO)
    await api.key.adelete()
    await api.refresh()

    second = await api.post(HELLO)

    assert (first.status_code, second.status_code) == (200, 401)


async def test_a_database_that_is_away_is_no_bad_key(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(name: str) -> None:
        raise psycopg.OperationalError("connection refused")

    monkeypatch.setattr("activity.connections.connect", refuse)

    response = await api.post(HELLO)

    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
