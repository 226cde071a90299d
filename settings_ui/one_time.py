"""Forms that count once: a reload or a double click must not make a second key."""

import secrets

from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.db import transaction

SESSION_KEY = "unused_forms"
# As many as someone has open at once; older ones ask to be loaded again.
MAX_UNUSED = 10


def issue(session: SessionBase) -> str:
    """Return a token for a form about to be shown."""
    token = secrets.token_urlsafe(16)
    session[SESSION_KEY] = [*session.get(SESSION_KEY, []), token][-MAX_UNUSED:]
    return token


def redeem(session: SessionBase, token: str) -> bool:
    """Use the token up; false if it was used before, even a moment ago by another process."""
    with transaction.atomic():
        Session.objects.select_for_update().filter(pk=session.session_key).first()
        stored = type(session)(session.session_key)
        unused = stored.get(SESSION_KEY, [])
        if token not in unused:
            return False
        stored[SESSION_KEY] = [one for one in unused if one != token]
        stored.save()
    session[SESSION_KEY] = stored[SESSION_KEY]
    return True
