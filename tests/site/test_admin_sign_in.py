import pytest
from django.test import Client

from tests.factories import PASSWORD, make_user

FIELDS = {"username": "ada", "password": PASSWORD}


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_admin_has_no_sign_in_form_of_its_own(db: None, client: Client, method: str) -> None:
    make_user(username="ada", is_staff=True)

    response = getattr(client, method)("/admin/login/?next=/admin/routing/", FIELDS)

    assert response.status_code == 302
    assert response.url.startswith("/sign-in?next=/admin/")
    assert "_auth_user_id" not in client.session


def test_whoever_opens_the_admin_is_there_after_signing_in(db: None, client: Client) -> None:
    make_user(username="ada", is_staff=True, is_superuser=True)
    asked = client.get("/admin/routing/provider/", follow=True)

    signed_in = client.post("/sign-in", FIELDS | {"next": asked.context["next"]}, follow=True)

    assert signed_in.request["PATH_INFO"] == "/admin/routing/provider/"
    assert signed_in.status_code == 200


def test_a_user_who_is_not_staff_is_told_so(db: None, client: Client) -> None:
    client.force_login(make_user(username="ada"))

    response = client.get("/admin/", follow=True)

    assert response.status_code == 403
    assert "The admin is for staff, and ada is not." in response.content.decode()
