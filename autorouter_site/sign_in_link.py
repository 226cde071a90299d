"""A link that signs one user in, once and within a quarter of an hour."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core import signing
from django.utils.crypto import constant_time_compare, salted_hmac

SALT = "autorouter_site.sign_in_link"
MAX_AGE_SECONDS = 15 * 60


def make(user: AbstractBaseUser) -> str:
    """Return a token for the user; signing in or a new password makes it worthless."""
    return signing.dumps([user.pk, _fragment(user)], salt=SALT)


def read(token: str) -> AbstractBaseUser | None:
    """Return the active user that the token signs in, or None if it is used, old or forged."""
    try:
        pk, fragment = signing.loads(token, salt=SALT, max_age=MAX_AGE_SECONDS)
    except signing.BadSignature:
        return None
    user = get_user_model().objects.filter(pk=pk, is_active=True).first()
    return user if user and constant_time_compare(fragment, _fragment(user)) else None


def _fragment(user: AbstractBaseUser) -> str:
    """Change with every sign-in and every password, and show neither."""
    last_login = user.last_login.isoformat() if user.last_login else ""
    return salted_hmac(SALT, f"{user.password} {last_login}").hexdigest()[:32]
