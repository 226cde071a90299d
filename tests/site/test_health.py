from typing import Any

import pytest
from django.test import Client

from tests.conftest import Api

PROBED = pytest.mark.parametrize("path", ["/livez", "/readyz"])
OTHER_HOST = {"Host": "10.0.0.7:8000"}


@PROBED
async def test_a_probe_need_not_know_our_name(api: Api, path: str) -> None:
    response = await api.client.get(path, headers=OTHER_HOST)

    assert response.status_code == 200


@PROBED
def test_a_probe_need_not_come_through_tls(db: None, settings: Any, path: str) -> None:
    settings.SECURE_SSL_REDIRECT = True

    assert Client().get(path).status_code == 200
    assert Client().get("/sign-in").status_code == 301


async def test_a_probe_is_framed_as_any_request(api: Api) -> None:
    names = [("Host", "10.0.0.7"), ("Host", "localhost")]

    assert (await api.client.get("/readyz", headers=names)).status_code == 400


async def test_any_other_path_wants_our_name(api: Api) -> None:
    response = await api.client.get("/readyz/x", headers=OTHER_HOST)

    assert response.status_code == 400
