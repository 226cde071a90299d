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

    assert client.get("/sign-out").url == "/activity"
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


@pytest.fixture
def behind_proxy(settings):
    settings.AUTOROUTER_HTTPS = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")


def via(*entries):
    """A client behind the proxy, which saw the last of the entries."""
    forwarded = {"HTTP_X_FORWARDED_FOR": ", ".join(entries)} if entries else {}
    return Client(REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_PROTO="https", **forwarded)


def test_clients_of_one_proxy_are_told_apart(behind_proxy, user):
    [sign_in(via("203.0.113.9"), "wrong") for _ in range(throttle.MAX_ATTEMPTS)]

    assert sign_in(via("203.0.113.9")).status_code == 429
    assert sign_in(via("203.0.113.10")).status_code == 302


def test_an_entry_that_the_proxy_has_not_written_does_not_count(behind_proxy, user):
    guesses = [f"198.51.100.{n}" for n in range(throttle.MAX_ATTEMPTS)]
    [sign_in(via(forged, "203.0.113.9"), "wrong") for forged in guesses]

    assert sign_in(via("198.51.100.99", "203.0.113.9")).status_code == 429


@pytest.mark.parametrize("entries", [(), ("",), ("203.0.113.9", "unknown")])
def test_without_a_good_entry_the_address_is_the_peers(behind_proxy, user, entries):
    [sign_in(via("127.0.0.1"), "wrong") for _ in range(throttle.MAX_ATTEMPTS)]

    assert sign_in(via(*entries)).status_code == 429


@pytest.mark.parametrize(
    ("entry", "same", "other"),
    [
        ("203.0.113.9:4711", "203.0.113.9:4712", "203.0.113.10:4711"),
        ("2001:db8:0:1::9", "2001:db8:0:1:ffff::1", "2001:db8:0:2::9"),
        ("[2001:db8:0:1::9]:80", "2001:db8:0:1::1", "[2001:db8:0:2::9]:80"),
        ("::ffff:203.0.113.9", "203.0.113.9", "::ffff:203.0.113.10"),
    ],
)
def test_a_host_has_one_address_however_it_is_written(behind_proxy, user, entry, same, other):
    [sign_in(via(entry), "wrong") for _ in range(throttle.MAX_ATTEMPTS)]

    assert sign_in(via(same)).status_code == 429
    assert sign_in(via(other)).status_code == 302


@pytest.mark.parametrize("empty", [{"password": ""}, {"username": ""}])
def test_an_empty_field_gives_no_attempts_back(client, user, empty):
    for _ in range(throttle.MAX_ATTEMPTS):
        sign_in(client, "wrong")
        sign_in(client, **{"password": "wrong"} | empty)

    assert sign_in(client).status_code == 429


def test_an_empty_name_gives_an_address_no_attempts_back(client, user):
    for number in range(throttle.MAX_OF_ADDRESS):
        sign_in(client, "wrong", f"user-{number}")
        sign_in(client, "wrong", "")

    assert sign_in(client).status_code == 429


def test_without_a_proxy_nobody_chooses_their_address(user):
    [sign_in(Client(), "wrong") for _ in range(throttle.MAX_ATTEMPTS)]

    assert sign_in(Client(HTTP_X_FORWARDED_FOR="203.0.113.9")).status_code == 429


def test_one_address_tries_only_so_many_names():
    tried = [throttle.allow(f"user-{n}", "203.0.113.9") for n in range(60)]

    assert tried.count(True) == throttle.MAX_OF_ADDRESS


def test_one_name_is_tried_only_so_often_whatever_the_address():
    tried = [throttle.allow("ada", f"203.0.113.{n // 4}") for n in range(60)]

    assert tried.count(True) == throttle.MAX_OF_NAME


def test_one_address_alone_locks_no_name():
    [throttle.allow("ada", "203.0.113.9") for _ in range(200)]

    assert throttle.allow("ada", "203.0.113.10")


def test_who_signs_in_does_not_use_up_the_attempts_of_others():
    [
        (throttle.allow(f"user-{n}", "203.0.113.9"), throttle.forget(f"user-{n}", "203.0.113.9"))
        for n in range(60)
    ]

    assert throttle.allow("ada", "203.0.113.9")


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
