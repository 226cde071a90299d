from pathlib import Path
from typing import Any

import pytest
from django.test import Client

ODD = ["%00", "a%00b", "%ED%A0%80", "1" + "0" * 30, "x" * 9000, "-1", "%0A", "_00"]
PAGES = [
    *(f"/admin/activity/generation/{{}}/{page}/" for page in ("change", "history", "delete")),
    *(f"/admin/activity/generation/?{name}={{}}" for name in ("id__in", "status__exact", "q", "p")),
    *("/admin/routing/pin/{}/change/", "/admin/routing/pin/?pk={}"),
    *("/admin/routing/price/?origin={}", "/admin/routing/apikey/?limit_reset__exact={}"),
    *("/admin/routing/provider/{}/change/", "/admin/auth/user/?id__exact={}", "/admin/r/{}/1/"),
    "/admin/{}",
]


@pytest.fixture(autouse=True)
def no_files(settings: Any, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd[:10])
@pytest.mark.parametrize("page", PAGES)
def test_an_odd_address_is_no_error_of_ours(admin_client: Client, page: str, odd: str) -> None:
    assert admin_client.get(page.format(odd)).status_code < 500


def test_nothing_is_found_by_a_nul(admin_client: Client) -> None:
    assert admin_client.get("/admin/activity/generation/%00/change/").status_code == 404


def test_the_admin_is_found_without_its_slash(client: Client) -> None:
    response = client.get("/admin")

    assert (response.status_code, response["Location"]) == (302, "/admin/")
