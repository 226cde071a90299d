"""A user's Auto Router defaults: previewed, and saved unless another tab was faster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from routing.engine import patterns
from routing.models import AutoRouterSettings, LanguageModel


@dataclass(frozen=True, slots=True)
class Match:
    """One model of the pool: whether it may be chosen, and the patterns that fit it."""

    slug: str
    kept: bool
    allowed_by: list[str]
    excluded_by: list[str]


@dataclass(frozen=True, slots=True)
class Preview:
    """What allowed and excluded patterns leave of the pool."""

    matches: list[Match]
    idle_allowed: list[str]
    idle_excluded: list[str]
    problems: list[str]

    @property
    def kept(self) -> list[Match]:
        return [match for match in self.matches if match.kept]

    @property
    def left_out(self) -> list[Match]:
        return [match for match in self.matches if not match.kept]


def load(user: Any) -> AutoRouterSettings:
    """The saved settings, or the built-in ones as a row that is not saved yet."""
    saved = AutoRouterSettings.objects.filter(user=user).first()
    return saved or AutoRouterSettings(user=user)


def version(row: AutoRouterSettings) -> str:
    """What a page remembers of the row it was made from; "" while there is none."""
    return row.updated_at.isoformat() if row.pk else ""


def save(user: Any, seen_version: str, values: Mapping[str, Any]) -> bool:
    """Save if the row is still the one that was seen; false if it has other values since.

    A double click sends a form twice: its second one finds what it would save.
    """
    if not seen_version:
        row, created = AutoRouterSettings.objects.get_or_create(user=user, defaults=values)
        return created or _holds(row, values)
    own = AutoRouterSettings.objects.filter(user=user)
    changes = {**values, "updated_at": timezone.now()}
    if own.filter(updated_at=_moment(seen_version)).update(**changes):
        return True
    row = own.first()
    return row is not None and _holds(row, values)


def preview(allowed: Sequence[str], excluded: Sequence[str]) -> Preview:
    """Match the patterns against the pool as the router does: by every name of a model."""
    problems = [*patterns.problems(allowed), *patterns.problems(excluded)]
    if problems:
        return Preview([], [], [], problems)
    models = LanguageModel.objects.auto_pool().values_list("slug", "canonical_slug", "alias")
    names = {slug: patterns.names_of(slug, *others) for slug, *others in models}
    let_in = {pattern: patterns.select([pattern], names) for pattern in allowed}
    kept_out = {pattern: patterns.select([pattern], names) for pattern in excluded}
    return Preview(
        [_match(slug, let_in, kept_out) for slug in names],
        [pattern for pattern, slugs in let_in.items() if not slugs],
        [pattern for pattern, slugs in kept_out.items() if not slugs],
        [],
    )


def _match(slug: str, let_in: Mapping[str, set[str]], kept_out: Mapping[str, set[str]]) -> Match:
    allowed_by = [pattern for pattern, slugs in let_in.items() if slug in slugs]
    excluded_by = [pattern for pattern, slugs in kept_out.items() if slug in slugs]
    kept = bool(allowed_by or not let_in) and not excluded_by
    return Match(slug, kept, allowed_by, excluded_by)


def _holds(row: AutoRouterSettings, values: Mapping[str, Any]) -> bool:
    return all(getattr(row, name) == value for name, value in values.items())


def _moment(text: str) -> Any:
    """The moment, or None, which equals no row's, for what is not one."""
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    return moment if moment and moment.tzinfo else None
