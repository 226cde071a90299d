"""What only the first start does: the admin user with a key, and the static files."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import transaction

from routing.credentials import create_key


@dataclass(frozen=True)
class Account:
    """The first user; password and key are known only to the start that made them."""

    user: Any
    password: str = ""
    key: str = ""


def admin_account() -> Account:
    """Return the first superuser, made with a password and an API key if there is none."""
    users = get_user_model().objects
    admin = users.filter(is_superuser=True, is_active=True).order_by("pk").first()
    if admin is not None:
        return Account(admin)
    password = settings.AUTOROUTER_INIT_ADMIN_PASSWORD or secrets.token_urlsafe(12)
    with transaction.atomic():
        admin = users.create_superuser(settings.AUTOROUTER_INIT_ADMIN_USER, password=password)
        _, key = create_key(admin, "First key")
    return Account(admin, password, key)


def collect_static() -> None:
    """Copy, compress and name the static files by their content, if any has changed."""
    stamp = settings.STATIC_ROOT / ".sources"
    sources = _static_sources()
    if stamp.exists() and stamp.read_text() == sources:
        return
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    stamp.write_text(sources)


def _static_sources() -> str:
    """Tell one state of the source files from another by their sizes and times."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list(["CVS", ".*", "*~"]):
            modified = storage.get_modified_time(path).timestamp()
            digest.update(f"{path} {storage.size(path)} {modified}\n".encode())
    return digest.hexdigest()
