"""Which generations an Activity page shows: the filters of its URL."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import timezone

from activity.models import Generation, GenerationQuerySet, Rejection, RejectionQuerySet
from routing.engine import patterns


class Period(NamedTuple):
    """How far back a page looks (None: all), and how long a bar of its chart is (None: a month)."""

    label: str
    length: timedelta | None
    step_label: str
    step: timedelta | None


PERIODS = {
    "1h": Period("1 hour", timedelta(hours=1), "2 minutes", timedelta(minutes=2)),
    "24h": Period("24 hours", timedelta(days=1), "hour", timedelta(hours=1)),
    "7d": Period("7 days", timedelta(days=7), "6 hours", timedelta(hours=6)),
    "30d": Period("30 days", timedelta(days=30), "day", timedelta(days=1)),
    "all": Period("All time", None, "month", None),
}
DEFAULT_PERIOD = "7d"
MAX_KEY_ID = 2**63 - 1
MAX_REFUSED = 50

# What the selects offer: provider, id of the key, name of the key.
Senders = Sequence[tuple[str, int, str]]
# The keys of a user: id, name, label.
OwnKeys = Sequence[tuple[int, str, str]]


@dataclass(frozen=True, slots=True)
class Refused:
    """The newest refused requests, each line with the name of its key; is_cut: there are more."""

    lines: list[tuple[Rejection, str]]
    is_cut: bool

    @property
    def reasons(self) -> int:
        return len({rejection.error_type for rejection, _ in self.lines})


class ActivityFilters(forms.Form):
    """The filters, each optional; one that is invalid is reported and does not apply."""

    period = forms.ChoiceField(
        choices=[(name, period.label) for name, period in PERIODS.items()],
        required=False,
        widget=forms.HiddenInput,
        error_messages={"invalid_choice": f"%(value)s is no period; send {', '.join(PERIODS)}."},
    )
    status = forms.ChoiceField(
        choices=[("", "Any"), *Generation.Status.choices],
        required=False,
        error_messages={"invalid_choice": "%(value)s is no status."},
    )
    model = forms.CharField(
        required=False,
        max_length=200,
        widget=forms.TextInput(
            attrs={"placeholder": "anthropic/*", "spellcheck": "false", "autocapitalize": "none"}
        ),
    )
    provider = forms.CharField(required=False, max_length=100, widget=forms.Select)
    key = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MAX_KEY_ID,
        widget=forms.Select,
        label="API key",
        error_messages={"invalid": "A key is named by its number here."},
    )
    q = forms.CharField(
        required=False,
        max_length=256,
        label="Search",
        widget=forms.TextInput(attrs={"placeholder": "Generation id, app or end user"}),
    )

    def __init__(
        self,
        data: QueryDict,
        senders: Senders = (),
        own_keys: OwnKeys = (),
    ) -> None:
        super().__init__(data)
        providers = {provider: provider for provider, _, _ in senders if provider}
        # A deleted key lives on in its requests; a key that was only refused has none.
        names = {key_id: name for _, key_id, name in senders}
        names |= {key_id: name for key_id, name, _ in own_keys}
        keys = _told_apart(names, {key_id: label for key_id, _, label in own_keys})
        self._offer("provider", providers)
        self._offer("key", keys)
        self.key_names = keys
        self.full_clean()
        self.period_name = self._value("period") or DEFAULT_PERIOD
        self.chosen = PERIODS[self.period_name]
        # Read once, so that the sums and the list are of the same span.
        self.now = timezone.now()
        self.since = self.now - self.chosen.length if self.chosen.length else None

    def clean_model(self) -> str:
        pattern = self.cleaned_data["model"]
        if pattern and (problems := patterns.problems([pattern])):
            raise ValidationError(problems)
        return pattern

    @property
    def narrowed(self) -> bool:
        """Whether anything but the period narrows the list."""
        return any(self._value(name) for name in ("status", "model", "provider", "key", "q"))

    def select(self, generations: GenerationQuerySet) -> GenerationQuerySet:
        """Keep what all valid filters let through."""
        if self.since:
            generations = generations.since(self.since)
        if pattern := self._value("model"):
            generations = generations.with_model(pattern)
        if text := self._value("q"):
            generations = generations.found_by(text)
        columns = {"status": "status", "provider": "provider", "key": "key_id"}
        equal = {column: self._value(name) for name, column in columns.items()}
        return generations.filter(**{column: value for column, value in equal.items() if value})

    def select_refused(self, rejections: RejectionQuerySet) -> Refused:
        """The newest refused requests of the period and key.

        The other filters do not apply: a refused request has no model.
        """
        if self.since:
            rejections = rejections.since(self.since.date())
        if key_id := self._value("key"):
            rejections = rejections.of_key(key_id)
        newest = rejections.newest_first()[: MAX_REFUSED + 1]
        lines = [(row, self.key_names.get(row.key_id) or f"Key {row.key_id}") for row in newest]
        return Refused(lines[:MAX_REFUSED], is_cut=len(lines) > MAX_REFUSED)

    def _value(self, name: str) -> Any:
        return self.cleaned_data.get(name)

    def _offer(self, name: str, choices: dict[Any, str]) -> None:
        """Let the select offer what was seen lately, and whatever the URL asks for."""
        asked = self.data.get(name, "")
        offered = {str(value): label for value, label in choices.items()}
        if asked and asked not in offered:
            offered[asked] = asked
        ordered = sorted(offered.items(), key=lambda pair: pair[1].casefold())
        self.fields[name].widget.choices = [("", "Any"), *ordered]


def _told_apart(names: Mapping[int, str], labels: Mapping[int, str]) -> dict[int, str]:
    """The names of keys; where a name repeats, with the ends of the key, or that it is no more."""
    uses = Counter(names.values())
    ends = {key_id: labels.get(key_id) or f"deleted, number {key_id}" for key_id in names}
    return {
        key_id: name if uses[name] == 1 else f"{name} ({ends[key_id]})"
        for key_id, name in names.items()
    }
