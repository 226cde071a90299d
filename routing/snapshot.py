"""Keys, settings, catalogue and prices as this process sees them.

Everything here is immutable and replaced as a whole: triggers announce each change by NOTIFY, and
what it makes stale is dropped. While nobody listens, nothing is older than a second.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
from asgiref.sync import sync_to_async
from django.db import connection

from activity.connections import Reads
from activity.ledger import numbered
from routing import catalog, credentials
from routing.catalog import Catalogue
from routing.errors import Unavailable
from routing.models import ApiKey

logger = logging.getLogger(__name__)

KEY_TABLES = ("routing_apikey", "routing_credit", "routing_autoroutersettings", "auth_user")
MOST_ACCOUNTS = 10_000
OLDEST_UNHEARD_SECONDS = 1.0
OLDEST_HEARD_SECONDS = 30.0

AWAY = (psycopg.Error, OSError)
AWAY_MESSAGE = "The key cannot be checked now; try again shortly."


@dataclass(frozen=True, slots=True)
class SavedSettings:
    """A user's Plugin Settings for the Auto Router."""

    enabled: bool
    allowed_models: tuple[str, ...]
    excluded_models: tuple[str, ...]
    tradeoff: int
    prevent_overrides: bool


@dataclass(frozen=True, slots=True)
class Account:
    """Who is asking: a good key, its user, their limits and saved settings."""

    user_id: int
    key_id: int
    key_name: str
    limit: Decimal | None
    limit_reset: str
    credit: Decimal | None
    settings: SavedSettings | None
    read_at: float
    expires_at: float | None

    @property
    def budgets(self) -> tuple[tuple[str, str, Decimal], ...]:
        """Owner, period kind and ceiling of each limit, in the order that they are locked."""
        found = []
        if self.limit is not None:
            found.append((f"key:{self.key_id}", self.limit_reset or "total", self.limit))
        if self.credit is not None:
            found.append((f"user:{self.user_id}", "total", self.credit))
        return tuple(found)


class Snapshot:
    """What a completion needs to know; a warm read costs no query."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._accounts: dict[str, Account] = {}
        self._reading: dict[str, asyncio.Task[Account | str]] = {}
        self._epoch = 0
        self._reload = asyncio.Event()
        self._reloading: asyncio.Task[None] | None = None
        self.listening = False
        self.catalogue: Catalogue

    async def start(self) -> None:
        """Read the catalogue, and again whenever it is dropped."""
        self.catalogue = await _read_catalogue()
        self._reloading = asyncio.create_task(self._keep_catalogue())

    async def close(self) -> None:
        if self._reloading is not None:
            self._reloading.cancel()
            await asyncio.gather(self._reloading, return_exceptions=True)

    def drop(self, table: str = "") -> None:
        """Forget what a changed table made stale; without a name, everything."""
        self._epoch += 1
        if not table or table in KEY_TABLES:
            self._accounts.clear()
        if not table or table not in KEY_TABLES:
            self._reload.set()

    async def account(self, secret: str) -> Account | str:
        """The account of an API key, or why there is none.

        Raises Unavailable while the database is away: an outage must not look like a bad key.
        """
        digest = credentials.digest(secret)
        account = self._accounts.get(digest)
        if account is None and not credentials.is_well_formed(secret):
            return credentials.UNKNOWN
        if account is None or self._is_stale(account) or _is_expired(account):
            return await self._read_once(digest)
        return account

    def _is_stale(self, account: Account) -> bool:
        return not self.listening and time.monotonic() - account.read_at > OLDEST_UNHEARD_SECONDS

    async def _read_once(self, digest: str) -> Account | str:
        """One query however many requests wait for the same key."""
        task = self._reading.get(digest)
        if task is None:
            task = asyncio.create_task(self._read_account(digest))
            self._reading[digest] = task
            task.add_done_callback(lambda _: self._reading.pop(digest, None))
        try:
            return await asyncio.shield(task)
        except AWAY as error:
            raise Unavailable(AWAY_MESSAGE) from error

    async def _read_account(self, digest: str) -> Account | str:
        epoch = self._epoch
        query, parameters = ApiKey.objects.account_of(digest).query.sql_with_params()
        rows = await self._reads.rows(numbered(query), parameters)
        if not rows:
            return credentials.UNKNOWN
        *facts, expiry, disabled, is_active = rows[0]
        account = _account(facts)
        expired_at = datetime.fromtimestamp(float(expiry), UTC) if _is_expired(account) else None
        if why := credentials.refusal(expired_at, disabled=disabled, is_active=is_active):
            return why
        # A change announced while we read may not be in what we read.
        if epoch == self._epoch:
            if len(self._accounts) >= MOST_ACCOUNTS:
                self._accounts.clear()
            self._accounts[digest] = account
        return account

    async def _keep_catalogue(self) -> None:
        while True:
            # A price may come into force without any change to be heard of.
            wait = OLDEST_HEARD_SECONDS if self.listening else OLDEST_UNHEARD_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._reload.wait()
            self._reload.clear()
            try:
                self.catalogue = await _read_catalogue()
            except Exception as error:
                logger.warning("The catalogue could not be read again", exc_info=error)
                self._reload.set()
                await asyncio.sleep(OLDEST_UNHEARD_SECONDS)


async def _read_catalogue() -> Catalogue:
    """Read in a thread of its own; completions go on with the catalogue before it."""
    return await sync_to_async(_with_connection_closed, thread_sensitive=False)(
        catalog.read_catalogue
    )


def _with_connection_closed(function: Callable[[], Any]) -> Any:
    try:
        return function()
    finally:
        connection.close()


def _account(row: Sequence[Any]) -> Account:
    (key_id, name, user_id, limit, limit_reset, seconds_left, credit, *saved) = row
    now = time.monotonic()
    return Account(
        user_id=user_id,
        key_id=key_id,
        key_name=name,
        limit=limit,
        limit_reset=limit_reset,
        credit=credit,
        settings=_settings(*saved),
        read_at=now,
        expires_at=None if seconds_left is None else now + float(seconds_left),
    )


def _settings(
    enabled: bool | None, allowed: list[str], excluded: list[str], tradeoff: int, prevent: bool
) -> SavedSettings | None:
    if enabled is None:
        return None
    return SavedSettings(enabled, tuple(allowed), tuple(excluded), tradeoff, prevent)


def _is_expired(account: Account) -> bool:
    return account.expires_at is not None and account.expires_at <= time.monotonic()
