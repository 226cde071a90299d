"""The statements that open, reserve and settle; the writer and the reaper run the same ones.

Each takes one JSON array and works on all of its rows at once. Those that begin with a name are
parts: together() makes one statement of several, so that a batch of any size is one round trip and
one commit. The parts of a statement do not see each other's changes, so no two of them may change
the same row. Amounts travel as strings and arrive as exact NUMERIC.

A plan is made once, perhaps while a table was empty, and must suit it when it is large: rows are
found by `= ANY` of their keys, for which PostgreSQL reads an index and nothing else.
"""

from decimal import ROUND_DOWN, Decimal
from functools import lru_cache
from typing import Any

import orjson

NUL_ESCAPE = b"\\u0000"
# One request takes a quarter of what is left, unless it needs more.
SHARE_OF_ROOM = 4
SMALLEST_AMOUNT = Decimal("1e-12")

# Periods by the database's clock, in UTC; ISO weeks begin on Monday.
PERIOD_FORMATS = {"daily": "YYYY-MM-DD", "weekly": 'IYYY-"W"IW', "monthly": "YYYY-MM"}
PERIOD = (
    "CASE kind "
    + " ".join(
        f"WHEN '{kind}' THEN to_char(now() AT TIME ZONE 'UTC', '{form}')"
        for kind, form in PERIOD_FORMATS.items()
    )
    + " ELSE 'total' END"
)

ADD_SPEND_ROWS = """
INSERT INTO activity_spend (owner, period)
SELECT DISTINCT owner, PERIOD FROM jsonb_to_recordset(%s::jsonb) AS r(owner text, kind text)
ORDER BY 1, 2
ON CONFLICT (owner, period) DO NOTHING
""".replace("PERIOD", PERIOD)

LOCK_SPEND_ROWS = """
WITH wanted AS (
    SELECT DISTINCT owner, kind, PERIOD AS period
    FROM jsonb_to_recordset(%s::jsonb) AS b(owner text, kind text)
)
SELECT s.owner, r.kind, s.period, s.spent, s.reserved
FROM activity_spend s
JOIN wanted r ON s.owner = r.owner AND s.period = r.period
WHERE s.owner = ANY(ARRAY(SELECT owner FROM wanted))
ORDER BY s.owner, s.period
FOR UPDATE OF s
""".replace("PERIOD", PERIOD)

RESERVE = """
WITH wanted AS (
    SELECT * FROM jsonb_to_recordset(%s::jsonb) AS r(owner text, period text, amount numeric)
)
UPDATE activity_spend s SET reserved = s.reserved + r.amount FROM wanted r
WHERE s.owner = r.owner AND s.period = r.period
    AND s.owner = ANY(ARRAY(SELECT owner FROM wanted))
"""

INSERT_GENERATIONS = """
opened AS (INSERT INTO activity_generation (
    id, deadline, worker, user_id, key_id, key_name, app, session, end_user, requested_model,
    routed_model, provider, streamed, attempts, prices, decision, reserved, reserved_in)
SELECT
    id, now() + make_interval(secs => deadline_seconds), worker, user_id, key_id, key_name, app,
    session, end_user, requested_model, routed_model, provider, streamed, 1, prices, decision,
    reserved, reserved_in
FROM jsonb_to_recordset(%s::jsonb) AS r(
    id text, deadline_seconds float8, worker bigint, user_id bigint, key_id bigint, key_name text,
    app text, session text, end_user text, requested_model text, routed_model text, provider text,
    streamed boolean, prices jsonb, decision jsonb, reserved numeric, reserved_in jsonb))
"""

INSERT_ATTEMPTS = """
called AS (INSERT INTO activity_attempt (generation_id, number, model, provider, upstream_model)
SELECT generation_id, number, model, provider, upstream_model
FROM jsonb_to_recordset(%s::jsonb) AS r(
    generation_id text, number smallint, model text, provider text, upstream_model text))
"""

# A fallback: an attempt that arrives after the settlement is none of the generation's calls.
INSERT_FALLBACKS = """
calling_again AS (SELECT * FROM jsonb_to_recordset(%s::jsonb) AS r(
    generation_id text, number smallint, model text, provider text, upstream_model text)),
called_again AS (INSERT INTO activity_attempt (generation_id, number, model, provider,
    upstream_model)
SELECT generation_id, number, r.model, r.provider, upstream_model
FROM calling_again r JOIN activity_generation g ON g.id = r.generation_id
WHERE g.id = ANY(ARRAY(SELECT generation_id FROM calling_again)) AND g.status || '' = 'open')
"""

# The guard "status = 'open'" makes a settlement happen once, however often it is sent; only what
# it really changed moves money. A proposed row must pass the checks before its conflict is seen,
# so a release travels as a positive amount and is subtracted in the update. A plain comparison of
# the status would lead PostgreSQL to the index of open rows, which is as long as streams are many.
SETTLE_ROWS = """
settling AS (SELECT * FROM jsonb_to_recordset(%s::jsonb) AS r(
    id text, status text, routed_model text, provider text, upstream_id text,
    attempts smallint, finish_reason text, native_finish_reason text, error_code smallint,
    error_type text, prompt_tokens bigint, cached_tokens bigint, cache_write_tokens bigint,
    completion_tokens bigint, reasoning_tokens bigint, usage_source text,
    usage_anomaly boolean, cost numeric, prices jsonb, cost_lines jsonb,
    first_token_ms integer, latency_ms integer)),
settled AS (
    UPDATE activity_generation g SET
        status = r.status, settled_at = now(), routed_model = r.routed_model,
        provider = r.provider, upstream_id = r.upstream_id, attempts = r.attempts,
        finish_reason = r.finish_reason, native_finish_reason = r.native_finish_reason,
        error_code = r.error_code, error_type = r.error_type, prompt_tokens = r.prompt_tokens,
        cached_tokens = r.cached_tokens, cache_write_tokens = r.cache_write_tokens,
        completion_tokens = r.completion_tokens, reasoning_tokens = r.reasoning_tokens,
        usage_source = r.usage_source, usage_anomaly = r.usage_anomaly, cost = r.cost,
        prices = r.prices, cost_lines = r.cost_lines, first_token_ms = r.first_token_ms,
        latency_ms = r.latency_ms
    FROM settling r
    WHERE g.id = r.id AND g.id = ANY(ARRAY(SELECT id FROM settling)) AND g.status || '' = 'open'
    RETURNING g.key_id, g.user_id, g.created_at, g.cost, g.reserved, g.reserved_in
)
"""

# Nobody pays for what our own death cut off; the last checkpoint says what was served.
INTERRUPT_ROWS = """
settled AS (
    UPDATE activity_generation g SET
        status = 'interrupted', settled_at = now(), error_type = 'interrupted',
        prompt_tokens = coalesce(a.prompt_tokens, 0),
        completion_tokens = coalesce(a.completion_tokens, 0),
        usage_source = CASE WHEN a.completion_tokens > 0 THEN 'checkpoint' ELSE 'none' END
    FROM activity_generation o
    LEFT JOIN LATERAL (
        SELECT prompt_tokens, completion_tokens FROM activity_attempt
        WHERE generation_id = o.id ORDER BY number DESC LIMIT 1
    ) a ON true
    WHERE o.id = ANY(%s) AND g.id = o.id AND g.status = 'open'
    RETURNING g.key_id, g.user_id, g.created_at, g.cost, g.reserved, g.reserved_in
)
"""

MOVE_MONEY = """
moves AS (
    SELECT 'key:' || key_id AS owner, period, cost AS spent, 0::numeric AS released
    FROM settled CROSS JOIN LATERAL (VALUES
        (to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')),
        (to_char(created_at AT TIME ZONE 'UTC', 'IYYY-"W"IW')),
        (to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM')),
        ('total')) AS p(period)
    UNION ALL
    SELECT 'user:' || user_id, 'total', cost, 0 FROM settled
    UNION ALL
    SELECT place->>'owner', place->>'period', 0, reserved
    FROM settled CROSS JOIN LATERAL jsonb_array_elements(reserved_in) AS place
),
moved AS (INSERT INTO activity_spend (owner, period, spent, reserved)
SELECT owner, period, sum(spent), sum(released) FROM moves GROUP BY owner, period
ORDER BY owner, period
ON CONFLICT (owner, period) DO UPDATE SET
    spent = activity_spend.spent + excluded.spent,
    reserved = activity_spend.reserved - excluded.reserved,
    updated_at = now())
"""

SETTLE = f"{SETTLE_ROWS}, {MOVE_MONEY}"
INTERRUPT = f"{INTERRUPT_ROWS}, {MOVE_MONEY}"

CHECKPOINT = """
reaching AS (SELECT * FROM jsonb_to_recordset(%s::jsonb) AS r(
    generation_id text, number smallint, prompt_tokens bigint, completion_tokens bigint,
    first_token_ms integer)),
reached AS (UPDATE activity_attempt a SET
    prompt_tokens = r.prompt_tokens, completion_tokens = r.completion_tokens,
    first_token_ms = r.first_token_ms
FROM reaching r
WHERE a.generation_id = r.generation_id AND a.number = r.number AND a.status = 'open'
    AND a.generation_id = ANY(ARRAY(SELECT generation_id FROM reaching)))
"""

END_ATTEMPTS = """
ending AS (SELECT * FROM jsonb_to_recordset(%s::jsonb) AS r(
    generation_id text, number smallint, status text, http_status smallint, error_type text,
    first_token_ms integer, latency_ms integer, prompt_tokens bigint, completion_tokens bigint,
    operator_cost numeric)),
ended AS (UPDATE activity_attempt a SET
    status = r.status, http_status = r.http_status, error_type = r.error_type,
    first_token_ms = r.first_token_ms, latency_ms = r.latency_ms,
    prompt_tokens = r.prompt_tokens, completion_tokens = r.completion_tokens,
    operator_cost = r.operator_cost
FROM ending r
WHERE a.generation_id = r.generation_id AND a.number = r.number AND a.status = 'open'
    AND a.generation_id = ANY(ARRAY(SELECT generation_id FROM ending)))
"""

ABANDON_ATTEMPTS = """
abandoned AS (
    UPDATE activity_attempt SET status = 'abandoned'
    WHERE generation_id = ANY(%s) AND status = 'open')
"""

COUNT_REJECTIONS = """
counted AS (INSERT INTO activity_rejection (day, key_id, user_id, code, error_type, count)
SELECT (now() AT TIME ZONE 'UTC')::date, key_id, user_id, code, error_type, sum(count)
FROM jsonb_to_recordset(%s::jsonb) AS r(
    key_id bigint, user_id bigint, code smallint, error_type text, count bigint)
GROUP BY key_id, user_id, code, error_type
ORDER BY key_id, code, error_type
ON CONFLICT (day, key_id, code, error_type) DO UPDATE SET
    count = activity_rejection.count + excluded.count)
"""

MOST_COMBINATIONS = 200


@lru_cache(MOST_COMBINATIONS)
def together(*parts: str) -> str:
    """One statement that runs all parts; its parameters are theirs, in order, as %s."""
    return f"WITH {', '.join(parts)} SELECT"


@lru_cache(MOST_COMBINATIONS)
def numbered(statement: str) -> str:
    """The same with $1, $2, ... as PostgreSQL itself takes it."""
    texts = statement.split("%s")
    return texts[0] + "".join(f"${at}{text}" for at, text in enumerate(texts[1:], 1))


def as_json(rows: list[dict[str, Any]]) -> str:
    """Rows as a parameter of the statements above; NUL, which PostgreSQL refuses, is dropped."""
    text = orjson.dumps(rows)
    return (orjson.dumps(_without_nul(rows)) if NUL_ESCAPE in text else text).decode()


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    if isinstance(value, dict):
        return {name: _without_nul(item) for name, item in value.items()}
    return value


class BudgetExceeded(Exception):
    """A limit has no room; `in_flight` where only running requests block it."""

    def __init__(self, owner: str, kind: str, left: Decimal, *, in_flight: bool) -> None:
        super().__init__(f"{owner} has ${left} left ({kind})")
        self.owner, self.kind, self.left, self.in_flight = owner, kind, left, in_flight


class Books:
    """The locked Spend rows of one batch: admits intents in arrival order."""

    def __init__(self, rows: list[tuple[str, str, str, Decimal, Decimal]]) -> None:
        self._rows = {
            (owner, kind): [period, spent, reserved]
            for owner, kind, period, spent, reserved in rows
        }
        self._added: dict[tuple[str, str], Decimal] = {}

    def reserve(self, intent: dict[str, Any]) -> Decimal:
        """Reserve what fits between the intent's minimum and its estimate, and return it.

        More than is ample for it only out of a share of the room, so that others find room too.
        Raises BudgetExceeded and reserves nothing where the minimum does not fit.
        """
        room = min(
            self._room(owner, kind, limit, intent["minimum"])
            for owner, kind, limit in intent["budgets"]
        )
        share = (room / SHARE_OF_ROOM).quantize(SMALLEST_AMOUNT, ROUND_DOWN)
        amount = min(intent["estimate"], room, max(intent["ample"], share))
        places = []
        for owner, kind, _ in intent["budgets"]:
            row = self._rows[owner, kind]
            row[2] += amount
            place = (owner, row[0])
            self._added[place] = self._added.get(place, Decimal(0)) + amount
            places.append({"owner": owner, "period": row[0]})
        intent["reserved"], intent["reserved_in"] = str(amount), places
        return amount

    def _room(self, owner: str, kind: str, limit: Decimal, minimum: Decimal) -> Decimal:
        _, spent, reserved = self._rows[owner, kind]
        if spent >= limit or spent + minimum > limit:
            raise BudgetExceeded(owner, kind, max(limit - spent, Decimal(0)), in_flight=False)
        if spent + reserved + minimum > limit or spent + reserved >= limit:
            raise BudgetExceeded(owner, kind, max(limit - spent, Decimal(0)), in_flight=True)
        return limit - spent - reserved

    def added(self) -> list[dict[str, str]]:
        return [
            {"owner": owner, "period": period, "amount": str(amount)}
            for (owner, period), amount in self._added.items()
        ]
