"""A user who is signed in, in a browser of their own."""

import pytest
from django.test import Client

from tests.factories import make_user


@pytest.fixture
def user(db):
    return make_user(username="ada")


@pytest.fixture
def browser(user):
    client = Client()
    client.force_login(user)
    return client
