"""Pages of generations by cursor: a page keeps its place while new rows arrive."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from activity.models import Generation, GenerationQuerySet

PAGE_SIZE = 50
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class BadCursorError(Exception):
    """A cursor that this module has not made."""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows newest first; `newer` and `older` are the cursors of the neighbours, "" if none."""

    rows: list[Generation]
    newer: str
    older: str


def page(generations: GenerationQuerySet, *, before: str = "", after: str = "") -> Page:
    """The newest rows, or those next to a cursor.

    Raises BadCursorError.
    """
    if after:
        return _newer_page(generations, after)
    if before:
        generations = generations.before(*_parse(before))
    rows = list(generations.newest_first()[: PAGE_SIZE + 1])
    older = _cursor(rows[PAGE_SIZE - 1]) if len(rows) > PAGE_SIZE else ""
    newer = _cursor(rows[0]) if before and rows else ""
    return Page(rows[:PAGE_SIZE], newer, older)


def _newer_page(generations: GenerationQuerySet, after: str) -> Page:
    rows = list(generations.after(*_parse(after)).oldest_first()[: PAGE_SIZE + 1])
    if not rows:
        return page(generations)
    more = len(rows) > PAGE_SIZE
    shown = rows[:PAGE_SIZE][::-1]
    return Page(shown, _cursor(shown[0]) if more else "", _cursor(shown[-1]))


def _cursor(generation: Generation) -> str:
    return f"{(generation.created_at - EPOCH) // MICROSECOND}.{generation.pk}"


def _parse(cursor: str) -> tuple[datetime, str]:
    microseconds, _, generation_id = cursor.partition(".")
    is_number = microseconds.isascii() and microseconds.isdigit()
    if not is_number or not generation_id or "\0" in generation_id:
        raise BadCursorError(cursor)
    try:
        return EPOCH + int(microseconds) * MICROSECOND, generation_id
    except (OverflowError, ValueError) as error:
        raise BadCursorError(cursor) from error
