import pytest
from django.test import Client

from tests.factories import make_generation, make_key, make_user

PAGES = [
    *("/", "/activity", "/activity/export.csv", "/activity/{request}", "/account/password"),
    *("/settings/plugins", "/settings/plugins/auto-router", "/nowhere", "/admin/"),
    *("/settings/keys", "/settings/keys/new", "/settings/keys/{key}"),
    "/settings/keys/{key}/delete",
]


@pytest.mark.parametrize("page", PAGES)
def test_no_page_of_a_signed_in_user_is_kept(db: None, client: Client, page: str) -> None:
    user = make_user()
    client.force_login(user)

    response = client.get(page.format(request=make_generation(user).pk, key=make_key(user).pk))

    assert "no-store" in response["Cache-Control"]
