import pytest
from django.contrib.sessions.backends.db import SessionStore

from settings_ui import one_time

pytestmark = pytest.mark.django_db


@pytest.fixture
def session():
    session = SessionStore()
    session.create()
    return session


def test_a_token_counts_once(session):
    token = one_time.issue(session)
    session.save()

    assert one_time.redeem(session, token)
    assert not one_time.redeem(session, token)


def test_a_request_that_began_before_the_other_ended_cannot_use_it_again(session):
    token = one_time.issue(session)
    session.save()
    first, second = (SessionStore(session.session_key) for _ in range(2))
    assert token in second[one_time.SESSION_KEY]

    assert one_time.redeem(first, token)
    assert not one_time.redeem(second, token)


def test_using_one_form_leaves_the_others(session):
    first, second = one_time.issue(session), one_time.issue(session)
    session.save()

    assert one_time.redeem(session, first)
    assert one_time.redeem(session, second)


def test_only_so_many_forms_are_remembered(session):
    first, *_ = [one_time.issue(session) for _ in range(one_time.MAX_UNUSED + 1)]
    session.save()

    assert not one_time.redeem(session, first)
    assert len(session[one_time.SESSION_KEY]) == one_time.MAX_UNUSED
