"""Pages by cursor: a page keeps its place while new rows arrive."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest

PAGE_SIZE = 50
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class BadCursorError(Exception):
    """A cursor that this module has not made."""


class PagedQuerySet(QuerySet):
    """Rows of a model that has `created_at`; rows of one moment are in the order of their ids."""

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")

    def oldest_first(self) -> Self:
        return self.order_by("created_at", "id")

    def before(self, created_at: datetime, row_id: str) -> Self:
        """Rows after the cursor in newest-first order."""
        return self.filter(Q(created_at__lt=created_at) | Q(created_at=created_at, id__lt=row_id))

    def after(self, created_at: datetime, row_id: str) -> Self:
        """Rows ahead of the cursor in newest-first order."""
        return self.filter(Q(created_at__gt=created_at) | Q(created_at=created_at, id__gt=row_id))


@dataclass(frozen=True, slots=True)
class Page:
    """Rows newest first; `newer` and `older` are the cursors of the neighbours, "" if none."""

    rows: list[Any]
    newer: str
    older: str


def page_of(request: HttpRequest, rows: PagedQuerySet) -> Page:
    """The page that the URL asks for; the first one, with a message, if it cannot be found."""
    before, after = request.GET.get("before", ""), request.GET.get("after", "")
    try:
        return page(rows, before=before, after=after)
    except BadCursorError:
        messages.error(request, "That page link is not valid; this is the newest page.")
        return page(rows)


def page(queryset: PagedQuerySet, *, before: str = "", after: str = "") -> Page:
    """The newest rows, or those next to a cursor; raises BadCursorError."""
    if after:
        return _newer_page(queryset, after)
    if before:
        queryset = _beside(queryset.before, before)
    rows = list(queryset.newest_first()[: PAGE_SIZE + 1])
    older = _cursor(rows[PAGE_SIZE - 1]) if len(rows) > PAGE_SIZE else ""
    newer = _cursor(rows[0]) if before and rows else ""
    return Page(rows[:PAGE_SIZE], newer, older)


def _newer_page(queryset: PagedQuerySet, after: str) -> Page:
    rows = list(_beside(queryset.after, after).oldest_first()[: PAGE_SIZE + 1])
    if not rows:
        return page(queryset)
    more = len(rows) > PAGE_SIZE
    shown = rows[:PAGE_SIZE][::-1]
    return Page(shown, _cursor(shown[0]) if more else "", _cursor(shown[-1]))


def _cursor(row: Any) -> str:
    return f"{(row.created_at - EPOCH) // MICROSECOND}.{row.pk}"


def _beside(side: Callable[[datetime, str], PagedQuerySet], cursor: str) -> PagedQuerySet:
    """The rows on that side of the cursor."""
    microseconds, _, row_id = cursor.partition(".")
    is_number = microseconds.isascii() and microseconds.isdigit()
    if not is_number or not row_id or "\0" in row_id:
        raise BadCursorError(cursor)
    try:
        return side(EPOCH + int(microseconds) * MICROSECOND, row_id)
    except (OverflowError, ValueError) as error:
        # No such year, or no number where rows are numbered.
        raise BadCursorError(cursor) from error
