"""Generations as CSV: every column, exact amounts, line by line."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from activity.models import Generation, GenerationQuerySet

BATCH_SIZE = 500
COLUMNS = (
    "id",
    "created_at",
    "settled_at",
    "status",
    "requested_model",
    "routed_model",
    "provider",
    "key_name",
    "app",
    "session",
    "end_user",
    "streamed",
    "attempts",
    "finish_reason",
    "native_finish_reason",
    "error_code",
    "error_type",
    "prompt_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "usage_source",
    "cost",
    "first_token_ms",
    "latency_ms",
)
# A spreadsheet runs a cell that starts with one of these (OWASP, CSV Injection).
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


async def csv_parts(
    generations: GenerationQuerySet, batch_size: int = BATCH_SIZE
) -> AsyncIterator[bytes]:
    """The header, then batches of lines, newest first; memory holds one batch.

    Batches by cursor, not one long `iterator()`: whoever hangs up leaves no open cursor in the
    database. Asynchronous, because Django's ASGI handler reads a plain iterator to its end
    before it sends a byte.
    """
    yield _lines([COLUMNS])
    batch = [row async for row in generations.newest_first()[:batch_size]]
    while batch:
        yield _lines([_cells(generation) for generation in batch])
        last = batch[-1]
        rest = generations.before(last.created_at, last.pk)
        batch = [row async for row in rest.newest_first()[:batch_size]]


def _cells(generation: Generation) -> list[str]:
    return [_cell(getattr(generation, column)) for column in COLUMNS]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _lines(rows: list[Any]) -> bytes:
    """RFC 4180: CRLF at the end of each line, quotes where needed."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode()
