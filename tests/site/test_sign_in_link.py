from datetime import UTC, datetime

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import update_last_login

from autorouter_site import sign_in_link

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def user(db):
    return get_user_model().objects.create_user("ada", password="correct horse")


def test_link_signs_its_user_in(user):
    assert sign_in_link.read(sign_in_link.make(user)) == user


def test_link_works_once(user):
    token = sign_in_link.make(user)

    update_last_login(None, user)

    assert sign_in_link.read(token) is None


@pytest.mark.parametrize(("minutes", "works"), [(14, True), (16, False)])
def test_link_works_for_15_minutes(user, minutes, works):
    with time_machine.travel(NOON, tick=False):
        token = sign_in_link.make(user)

    with time_machine.travel(NOON.replace(minute=minutes), tick=False):
        assert (sign_in_link.read(token) == user) is works


def test_new_password_ends_the_link(user):
    token = sign_in_link.make(user)

    user.set_password("battery staple")
    user.save()

    assert sign_in_link.read(token) is None


def test_inactive_user_is_not_signed_in(user):
    token = sign_in_link.make(user)

    user.is_active = False
    user.save()

    assert sign_in_link.read(token) is None


@pytest.mark.parametrize("token", ["", "x", "W10:1:abc", "é" * 40])
def test_forged_link_signs_nobody_in(db, token):
    assert sign_in_link.read(token) is None


def test_link_fits_an_address_and_shows_no_secret(user):
    token = sign_in_link.make(user)

    assert set(token) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_:.")
    assert user.password not in token
