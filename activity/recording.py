"""One Generation per request, whatever becomes of it."""

import asyncio
import secrets
import string
import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from activity.batch import Statement
from activity.models import Attempt, Generation
from activity.writer import DatabaseAway, Writer

ALPHABET = string.digits + string.ascii_letters
BASE62 = bytes(ord(ALPHABET[byte % 62]) for byte in range(256))
# After its deadline a row may still be settled by its owner for this long.
GRACE_SECONDS = 120.0
CHECKPOINT_SECONDS = 2.0
TOKEN_COUNTS = (
    "prompt_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "completion_tokens",
    "reasoning_tokens",
)


def new_id() -> str:
    """`gen-<unix seconds>-<20 base62>`: ours, never an upstream's or a client's."""
    # 256 is no multiple of 62: the first eight letters come up a little more often, which is fine
    # for an id of 119 bits.
    tail = secrets.token_bytes(20).translate(BASE62).decode()
    return f"gen-{int(time.time())}-{tail}"


@dataclass(slots=True)
class Call:
    """One attempt as it goes on."""

    number: int
    model: str
    provider: str
    upstream_model: str
    status: str = Attempt.Status.OPEN
    http_status: int | None = None
    error_type: str = ""
    started: float = field(default_factory=time.monotonic)
    first_token_ms: int | None = None
    latency_ms: int | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    operator_cost: Decimal | None = None

    def end(self, status: str, *, error_type: str = "", http_status: int | None = None) -> None:
        self.status = status
        self.error_type = error_type
        self.http_status = http_status
        self.latency_ms = milliseconds_since(self.started)

    def opening(self, generation_id: str) -> dict[str, Any]:
        return {
            "generation_id": generation_id,
            "number": self.number,
            "model": self.model,
            "provider": self.provider,
            "upstream_model": self.upstream_model,
        }

    def ending(self, generation_id: str) -> dict[str, Any]:
        cost = self.operator_cost
        return {
            "generation_id": generation_id,
            "number": self.number,
            "status": self.status,
            "http_status": self.http_status,
            "error_type": self.error_type,
            "first_token_ms": self.first_token_ms,
            "latency_ms": self.latency_ms,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "operator_cost": None if cost is None else f"{cost:f}",
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a generation ended and what it cost."""

    status: str
    finish_reason: str = ""
    native_finish_reason: str = ""
    upstream_id: str = ""
    error_code: int | None = None
    error_type: str = ""
    tokens: dict[str, int] = field(default_factory=dict)
    usage_source: str = Generation.UsageSource.NONE
    usage_anomaly: bool = False
    cost: Decimal = Decimal(0)
    cost_lines: list[dict[str, Any]] = field(default_factory=list)
    prices: dict[str, Any] = field(default_factory=dict)


class Recording:
    """An accepted completion from its intent to its one final state."""

    def __init__(self, writer: Writer, generation_id: str) -> None:
        self._writer = writer
        self.id = generation_id
        self.calls: list[Call] = []
        self._lost: list[Call] = []
        self.started = time.monotonic()
        self.first_token_ms: int | None = None
        self._checkpoint = 0.0

    @property
    def elapsed_seconds(self) -> float:
        return time.monotonic() - self.started

    async def open(self, intent: dict[str, Any], call: Call) -> Decimal:
        """Commit the intent and the first attempt; the amount reserved.

        Raises BudgetExceeded or DatabaseAway; no upstream byte may be sent before this returns.
        """
        row = intent | {"id": self.id}
        row["deadline_seconds"] = intent["deadline_seconds"] + GRACE_SECONDS
        granted = await self._writer.open(row, call.opening(self.id))
        self.calls.append(call)
        return granted

    async def attempt(self, call: Call) -> None:
        """Commit one more attempt; raises DatabaseAway."""
        try:
            await self._writer.attempt(call.opening(self.id))
        except (DatabaseAway, asyncio.CancelledError):
            # Its commit may have arrived all the same; it was never sent.
            call.end(Attempt.Status.ABANDONED)
            self._lost.append(call)
            raise
        self.calls.append(call)

    def first_token(self) -> None:
        """Note that the answer began."""
        self.first_token_ms = milliseconds_since(self.started)
        self.calls[-1].first_token_ms = milliseconds_since(self.calls[-1].started)

    def is_checkpoint_due(self) -> bool:
        """Whether the answer began, or went on for a few seconds: a crash loses no more of it."""
        return time.monotonic() - self._checkpoint >= CHECKPOINT_SECONDS

    def reached(self, prompt_tokens: int, completion_tokens: int) -> None:
        """Persist how far the answer has come."""
        self._checkpoint = time.monotonic()
        call = self.calls[-1]
        self._writer.checkpoint(
            {
                "generation_id": self.id,
                "number": call.number,
                "prompt_tokens": prompt_tokens,
                "completion_tokens": completion_tokens,
                "first_token_ms": call.first_token_ms,
            }
        )

    async def settle(self, outcome: Outcome, along: tuple[Statement, ...]) -> None:
        """Commit the final state, once; the journal takes it while the database is away."""
        last = self.calls[-1]
        settlement = {
            "id": self.id,
            "status": outcome.status,
            "routed_model": last.model,
            "provider": last.provider,
            "upstream_id": outcome.upstream_id[:200],
            "attempts": len(self.calls),
            "finish_reason": outcome.finish_reason[:40],
            "native_finish_reason": outcome.native_finish_reason[:40],
            "error_code": outcome.error_code,
            "error_type": outcome.error_type[:60],
            "usage_source": outcome.usage_source,
            "usage_anomaly": outcome.usage_anomaly,
            "cost": f"{outcome.cost:f}",
            "prices": outcome.prices,
            "cost_lines": outcome.cost_lines,
            "first_token_ms": self.first_token_ms,
            "latency_ms": milliseconds_since(self.started),
        }
        settlement |= {name: outcome.tokens.get(name, 0) for name in TOKEN_COUNTS}
        endings = [call.ending(self.id) for call in (*self.calls, *self._lost)]
        await self._writer.settle(settlement, endings, along)


def milliseconds_since(started: float) -> int:
    return int((time.monotonic() - started) * 1000)
