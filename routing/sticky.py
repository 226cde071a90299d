"""The model and provider a session is pinned to, shared by all processes."""

import asyncio
import hmac
import logging
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings

from activity.batch import Statement
from activity.connections import Reads
from routing.completion import Completion, Session
from routing.errors import Unavailable
from routing.snapshot import AWAY, Account

logger = logging.getLogger(__name__)

FIND = """
SELECT key, model, endpoint_id FROM routing_pin
WHERE key = ANY($1) AND last_success > now() - make_interval(secs => $2)
"""

# A pin that another turn set meanwhile stays, so that concurrent first turns converge on one; the
# endpoint this turn was pinned to gives way to the one that served it.
SET = """
turns AS (SELECT * FROM jsonb_to_recordset(%s::jsonb) AS r(
    key text, user_id bigint, model text, endpoint_id bigint, seen bigint, idle float8)),
pinned AS (INSERT INTO routing_pin (key, user_id, model, endpoint_id)
SELECT key, user_id, model, endpoint_id FROM turns ORDER BY key
ON CONFLICT (key) DO UPDATE SET
    last_success = now(),
    (model, endpoint_id) = (
        SELECT CASE WHEN replaced THEN excluded.model ELSE routing_pin.model END,
               CASE WHEN replaced THEN excluded.endpoint_id ELSE routing_pin.endpoint_id END
        FROM (SELECT routing_pin.endpoint_id = seen
            OR routing_pin.last_success <= now() - make_interval(secs => idle) AS replaced
            FROM turns WHERE turns.key = excluded.key) r))
"""

REFRESH = """
refreshing AS (SELECT * FROM jsonb_to_recordset(%s::jsonb) AS r(key text, idle float8)),
refreshed AS (UPDATE routing_pin p SET last_success = now() FROM refreshing r
WHERE p.key = r.key AND p.last_success > now() - make_interval(secs => r.idle)
    AND p.key = ANY(ARRAY(SELECT key FROM refreshing)))
"""

DROP = """
dropping AS (SELECT * FROM jsonb_to_recordset(%s::jsonb) AS r(key text, endpoint_id bigint)),
dropped AS (DELETE FROM routing_pin p USING dropping r
WHERE p.key = r.key AND p.endpoint_id = r.endpoint_id
    AND p.key = ANY(ARRAY(SELECT key FROM dropping)))
"""


@dataclass(frozen=True, slots=True)
class Pinned:
    """What a session is pinned to."""

    model: str
    endpoint_id: int


def pin_key(account: Account, completion: Completion) -> str:
    """Names account, requested slug and conversation; without the secret nobody can make one."""
    session: Session = completion.session
    kind = "id" if session.explicit else "fingerprint"
    parts = (str(account.user_id), completion.requested, kind, session.id)
    secret, message = settings.SECRET_KEY.encode(), "\n".join(parts).encode()
    return hmac.digest(secret, message, "sha256").hex()


class Pins:
    """Looks pins up: whoever asks while a query runs shares the next one."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._asked: list[tuple[str, asyncio.Future[Pinned | None]]] = []
        self._reading: asyncio.Task[None] | None = None

    def ask(self, key: str) -> "asyncio.Future[Pinned | None]":
        """The live pin of a session; the query leaves in the next turn of the event loop.

        Raises Unavailable while the database is away. Cancel it where nobody waits for it.
        """
        found: asyncio.Future[Pinned | None] = asyncio.get_running_loop().create_future()
        self._asked.append((key, found))
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        return found

    async def _read(self) -> None:
        try:
            while self._asked:
                asked, self._asked = self._asked, []
                await self._answer(asked)
        finally:
            self._reading = None

    async def _answer(self, asked: list[tuple[str, asyncio.Future[Pinned | None]]]) -> None:
        keys = [key for key, found in asked if not found.done()]
        parameters = (keys, settings.AUTOROUTER_STICKY_SECONDS)
        failure: Callable[[], Exception] | None = None
        pins: dict[str, Pinned] = {}
        try:
            rows = await self._reads.rows(FIND, parameters)
            pins = {key: Pinned(model, endpoint) for key, model, endpoint in rows}
        except AWAY:
            failure = _is_away
        except Exception:
            logger.exception("Sessions could not be looked up")
            failure = _is_away
        for key, found in asked:
            if found.done():
                continue
            if failure is None:
                found.set_result(pins.get(key))
            else:
                found.set_exception(failure())


def _is_away() -> Unavailable:
    return Unavailable("The session cannot be looked up now; try again shortly.")


def pin(key: str, account: Account, served: Pinned, seen: Pinned | None) -> Statement:
    """Pins the session to what served it, unless another turn pinned it meanwhile."""
    return SET, {
        "key": key,
        "user_id": account.user_id,
        "model": served.model,
        "endpoint_id": served.endpoint_id,
        "seen": seen.endpoint_id if seen else -1,
        "idle": settings.AUTOROUTER_STICKY_SECONDS,
    }


def refresh(key: str) -> Statement:
    """Restarts the timer of a live pin and leaves what it names."""
    return REFRESH, {"key": key, "idle": settings.AUTOROUTER_STICKY_SECONDS}


def drop(key: str, pinned: Pinned) -> Statement:
    """Removes a pin that the session's patterns exclude."""
    return DROP, {"key": key, "endpoint_id": pinned.endpoint_id}
