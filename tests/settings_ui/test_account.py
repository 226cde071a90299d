import pytest
from django.core.cache import cache
from django.test import Client

from autorouter_site import sign_in_link
from settings_ui import throttle
from tests.factories import PASSWORD, make_user

UNIFORM = "That user name and password do not go together"


@pytest.fixture(autouse=True)
def fresh_throttle():
    cache.clear()


@pytest.fixture
def user(db):
    return make_user(username="ada")


def sign_in(client, password=PASSWORD, username="ada", **fields):
    return client.post("/sign-in", {"username": username, "password": password, **fields})


def is_signed_in(client):
    return client.get("/activity").status_code == 200


def test_signs_in_and_out(client, user):
    assert sign_in(client).url == "/activity"
    assert is_signed_in(client)

    assert client.post("/sign-out").url == "/sign-in"
    assert not is_signed_in(client)


def test_signing_out_takes_a_post(client, user):
    client.force_login(user)

    assert client.get("/sign-out").status_code == 405
    assert is_signed_in(client)


@pytest.mark.parametrize(
    ("username", "is_active"), [("ada", True), ("nobody", True), ("ada", False)]
)
def test_a_failed_sign_in_tells_nothing_about_the_account(client, user, username, is_active):
    type(user).objects.update(is_active=is_active)

    page = sign_in(client, "wrong", username).content.decode()

    assert UNIFORM in page
    assert 'role="alert"' in page


def test_the_sixth_attempt_is_refused_even_with_the_right_password(client, user):
    [sign_in(client, "wrong") for _ in range(throttle.MAX_ATTEMPTS)]

    response = sign_in(client)

    assert response.status_code == 429
    assert response["Retry-After"] == "300"
    assert "Wait five minutes" in response.content.decode()
    assert not is_signed_in(client)


def test_another_address_and_another_name_are_not_throttled(client, user):
    make_user(username="grace")
    [sign_in(client, "wrong") for _ in range(throttle.MAX_ATTEMPTS)]

    assert sign_in(client, username="grace").status_code == 302
    assert sign_in(Client(REMOTE_ADDR="10.0.0.9")).status_code == 302


def test_signing_in_forgets_earlier_failures(client, user):
    [sign_in(client, "wrong") for _ in range(throttle.MAX_ATTEMPTS - 1)]
    sign_in(client)

    assert sign_in(Client(), "wrong").status_code == 200


@pytest.mark.parametrize(
    ("target", "end"),
    [
        ("/settings/keys", "/settings/keys"),
        ("https://evil.example/", "/activity"),
        ("//evil.example", "/activity"),
        ("javascript:alert(1)", "/activity"),
    ],
)
def test_next_stays_on_this_site(client, user, target, end):
    assert sign_in(client, next=target).url == end


def test_a_link_signs_in_on_post_once(client, user):
    address = f"/sign-in/link/{sign_in_link.make(user)}"

    assert "Sign in as ada" in client.get(address).content.decode()
    assert "Sign in as ada" in client.get(address).content.decode()
    assert client.post(address).url == "/activity"
    assert is_signed_in(client)
    assert Client().post(address).status_code == 410


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_forged_link_is_refused_in_words(client, db, method):
    response = getattr(client, method)("/sign-in/link/nonsense")

    assert response.status_code == 410
    assert "This link is used up" in response.content.decode()


def test_a_link_needs_a_csrf_token(user):
    client = Client(enforce_csrf_checks=True)

    response = client.post(f"/sign-in/link/{sign_in_link.make(user)}")

    assert response.status_code == 403
    assert "This form has expired" in response.content.decode()
    assert not is_signed_in(client)


def test_changes_the_password(client, user):
    client.force_login(user)
    fields = {
        "old_password": PASSWORD,
        "new_password1": "a longer sentence 9",
        "new_password2": "a longer sentence 9",
    }

    page = client.post("/account/password", fields, follow=True).content.decode()

    assert "Your password is changed" in page
    assert sign_in(Client(), "a longer sentence 9").status_code == 302


def test_changing_the_password_needs_the_old_one(client, user):
    client.force_login(user)
    fields = {"old_password": "wrong", "new_password1": "x" * 12, "new_password2": "x" * 12}

    response = client.post("/account/password", fields)

    assert 'role="alert"' in response.content.decode()
    assert sign_in(Client()).status_code == 302


@pytest.mark.parametrize("theme", ["system", "light", "dark"])
def test_the_colours_are_kept_and_in_the_page(client, db, theme):
    response = client.post("/account/theme", {"theme": theme, "next": "/sign-in?next=/"})

    assert response.url == "/sign-in?next=/"
    assert f'data-theme="{theme}"' in client.get("/sign-in").content.decode()


@pytest.mark.parametrize("theme", ["", "neon", "dark; Path=/evil", '"><script>'])
def test_other_colours_are_not_kept(client, db, theme):
    client.post("/account/theme", {"theme": theme})

    assert "theme" not in client.cookies


def test_the_colour_switch_does_not_lead_away(client, db):
    response = client.post("/account/theme", {"theme": "dark", "next": "https://evil.example/"})

    assert response.url == "/activity"


@pytest.mark.parametrize("target", ["nan", "10", "a\x00b", "\N{FOX FACE}"])
def test_the_colour_switch_leads_to_paths_alone(client, db, target):
    assert client.post("/account/theme", {"theme": "dark", "next": target}).url == "/activity"


def test_a_colour_from_a_forged_cookie_is_escaped(client, db):
    client.cookies["theme"] = '"><script>alert(1)</script>'

    assert b"<script>alert" not in client.get("/sign-in").content


def test_an_unknown_page_is_designed_too(client, user):
    client.force_login(user)

    response = client.get("/nowhere")

    assert response.status_code == 404
    assert "Nothing is here" in response.content.decode()
    assert "Sign out" in response.content.decode()
