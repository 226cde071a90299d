"""What was asked and what it cost: one Generation per accepted completion.

Rows copy slugs and names as text, so that the log stays true when the catalogue changes.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Count, F, Func, Q, Sum, Value
from django.db.models.functions import Now, TruncDate, TruncMonth

from activity.paging import EPOCH, PagedQuerySet
from activity.periods import current_periods


def money(**options: Any) -> models.DecimalField:
    """Exact US dollars; twelve decimals hold one cached token of the cheapest model."""
    return models.DecimalField(max_digits=20, decimal_places=12, **options)


# How far back the choices of the Activity filters look: a bound on the work of one page.
RECENT_ROWS = 5000


@models.CharField.register_lookup
class ILike(models.Lookup):
    """PostgreSQL's ILIKE with a pattern of ours, which no lookup of Django's takes."""

    lookup_name = "ilike"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return f"{left} ILIKE {right}", [*left_params, *right_params]


def _like(pattern: str) -> str:
    """A wildcard pattern as PostgreSQL spells it: `*` is `%`, all else stands for itself."""
    escaped = re.sub(r"([\\%_])", r"\\\1", pattern)
    return escaped.replace("*", "%")


class GenerationQuerySet(PagedQuerySet["Generation"]):
    def owned_by(self, user: Any) -> "GenerationQuerySet":
        return self.filter(user=user)

    def since(self, moment: datetime) -> "GenerationQuerySet":
        return self.filter(created_at__gte=moment)

    def open(self) -> "GenerationQuerySet":
        return self.filter(status=Generation.Status.OPEN)

    def finished(self) -> "GenerationQuerySet":
        return self.exclude(status=Generation.Status.OPEN)

    def failed(self) -> "GenerationQuerySet":
        """Rows that failed or were cut off; generation_errors finds the newest of them."""
        return self.filter(status__in=Generation.ERRORS)

    def older_than(self, age: timedelta) -> "GenerationQuerySet":
        """Rows that began so long ago, the oldest first."""
        return self.filter(created_at__lt=Now() - age).order_by("created_at")

    def open_of(self, workers: Iterable[int]) -> "GenerationQuerySet":
        return self.open().filter(worker__in=list(workers))

    def not_of(self, workers: Iterable[int]) -> "GenerationQuerySet":
        return self.exclude(worker__in=list(workers))

    def ids(self, most: int) -> list[str]:
        return list(self.values_list("id", flat=True)[:most])

    def overdue(self) -> "GenerationQuerySet":
        return self.open().filter(deadline__lt=Now())

    def with_model(self, pattern: str) -> "GenerationQuerySet":
        """Rows whose routed or requested model fits the wildcard pattern."""
        like = _like(pattern)
        return self.filter(Q(routed_model__ilike=like) | Q(requested_model__ilike=like))

    def found_by(self, text: str) -> "GenerationQuerySet":
        """Rows with this id or end user, or with the text in the name of the app."""
        return self.filter(Q(id=text) | Q(end_user=text) | Q(app__icontains=text))

    def recent(self) -> "GenerationQuerySet":
        """The newest rows, few enough to look through on every page view."""
        return self.filter(id__in=self.newest_first().values("id")[:RECENT_ROWS])

    def senders(self) -> "GenerationQuerySet":
        """Each provider and key that occurs, once."""
        return self.order_by().values_list("provider", "key_id", "key_name").distinct()

    def totals(self) -> dict[str, Any]:
        """Requests, spend, tokens and errors of the whole set in one query."""
        return self.aggregate(**_sums())

    def sums(self, step: timedelta | None) -> Iterable[dict[str, Any]]:
        """The same of each routed model and step of time that has any; None: calendar months."""
        began = TruncMonth("created_at", tzinfo=UTC) if step is None else _step_of(step)
        return self.order_by().values("routed_model", began=began).annotate(**_sums())


def _sums() -> dict[str, Any]:
    """Named apart from the columns, which Django asks of a grouped query."""
    return {
        "requests": Count("id"),
        "spend": Sum("cost", default=Decimal(0)),
        "prompt": Sum("prompt_tokens", default=0),
        "completion": Sum("completion_tokens", default=0),
        "errors": Count("id", filter=Q(status__in=Generation.ERRORS)),
    }


def _step_of(step: timedelta) -> Func:
    given = (Value(step), F("created_at"), Value(EPOCH))
    return Func(*given, function="date_bin", output_field=models.DateTimeField())


class Generation(models.Model):
    """One completion as logged, from its intent to its final state."""

    class Status(models.TextChoices):
        OPEN = "open"
        COMPLETED = "completed"
        FAILED = "failed"
        CANCELLED = "cancelled"
        INTERRUPTED = "interrupted"

    class UsageSource(models.TextChoices):
        NONE = "none"
        UPSTREAM = "upstream"
        ESTIMATED = "estimated"
        CHECKPOINT = "checkpoint"

    ERRORS = (Status.FAILED, Status.INTERRUPTED)

    id = models.CharField(primary_key=True, max_length=40)
    created_at = models.DateTimeField(db_default=Now())
    settled_at = models.DateTimeField(null=True)
    deadline = models.DateTimeField(help_text="Past it, the reaper may end an open row.")
    status = models.CharField(max_length=11, choices=Status, db_default=Status.OPEN)
    worker = models.BigIntegerField(help_text="Advisory lock held by the process that owns it.")

    # generation_list and attempt_number_once begin with what these two refer to.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, db_index=False)
    key_id = models.BigIntegerField()
    key_name = models.CharField(max_length=100)
    app = models.CharField(max_length=100, blank=True, db_default="")
    session = models.CharField(
        max_length=64, blank=True, db_default="", help_text="Hash of the session id."
    )
    end_user = models.CharField(
        max_length=256, blank=True, db_default="", help_text="The request's user field."
    )

    requested_model = models.CharField(max_length=200)
    routed_model = models.CharField(max_length=200, blank=True, db_default="")
    provider = models.CharField(max_length=100, blank=True, db_default="")
    upstream_id = models.CharField(max_length=200, blank=True, db_default="")
    streamed = models.BooleanField()
    attempts = models.PositiveSmallIntegerField(db_default=0)
    finish_reason = models.CharField(max_length=40, blank=True, db_default="")
    native_finish_reason = models.CharField(max_length=40, blank=True, db_default="")
    error_code = models.PositiveSmallIntegerField(null=True)
    error_type = models.CharField(max_length=60, blank=True, db_default="")

    prompt_tokens = models.BigIntegerField(db_default=0, help_text="Cached and written included.")
    cached_tokens = models.BigIntegerField(db_default=0)
    cache_write_tokens = models.BigIntegerField(db_default=0)
    completion_tokens = models.BigIntegerField(db_default=0, help_text="Reasoning included.")
    reasoning_tokens = models.BigIntegerField(db_default=0)
    usage_source = models.CharField(max_length=10, choices=UsageSource, db_default=UsageSource.NONE)
    usage_anomaly = models.BooleanField(db_default=False)
    cost = money(db_default=0)
    prices = models.JSONField(
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        help_text="USD per token in force when it began.",
    )
    cost_lines = models.JSONField(
        default=list,
        db_default=models.Value([], models.JSONField()),
        help_text="The arithmetic of the cost.",
    )
    reserved = money(db_default=0)
    reserved_in = models.JSONField(
        default=list,
        db_default=models.Value([], models.JSONField()),
        help_text="The Spend rows that hold its reservation: owner and period.",
    )

    first_token_ms = models.PositiveIntegerField(null=True)
    latency_ms = models.PositiveIntegerField(null=True)
    decision = models.JSONField(
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        help_text="The receipt: why this model.",
    )

    objects = GenerationQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(F("user"), F("created_at").desc(), F("id").desc(), name="generation_list"),
            models.Index(fields=["created_at"], name="generation_by_time"),
            models.Index(
                fields=["worker"], condition=Q(status="open"), name="generation_open_by_worker"
            ),
            models.Index(
                F("created_at").desc(),
                F("id").desc(),
                condition=Q(status__in=("failed", "interrupted")),
                name="generation_errors",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status="open", settled_at=None)
                | (~Q(status="open") & Q(settled_at__isnull=False)),
                name="generation_settled_once_final",
            ),
            models.CheckConstraint(
                condition=Q(cost__gte=0, reserved__gte=0), name="generation_money_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(
                    cached_tokens__gte=0,
                    cache_write_tokens__gte=0,
                    prompt_tokens__gte=F("cached_tokens") + F("cache_write_tokens"),
                    reasoning_tokens__gte=0,
                    completion_tokens__gte=F("reasoning_tokens"),
                ),
                name="generation_token_classes_disjoint",
            ),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def model(self) -> str:
        """The routed model once known, else what was asked for."""
        return self.routed_model or self.requested_model

    @property
    def uncached_tokens(self) -> int:
        """Prompt tokens at the full price: neither read from a cache nor written to one."""
        return self.prompt_tokens - self.cached_tokens - self.cache_write_tokens

    @property
    def tokens_per_second(self) -> float | None:
        """Speed of the answer, without the wait for its first token where that is known."""
        writing_ms = (self.latency_ms or 0) - (self.first_token_ms or 0)
        if writing_ms <= 0 or not self.completion_tokens:
            return None
        return self.completion_tokens * 1000 / writing_ms


class Attempt(models.Model):
    """One upstream call made for a generation, recorded before its first byte is sent."""

    class Status(models.TextChoices):
        OPEN = "open"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        ABANDONED = "abandoned"

    generation = models.ForeignKey(
        Generation, models.CASCADE, related_name="attempt_set", db_index=False
    )
    number = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField(db_default=Now())
    model = models.CharField(max_length=200)
    provider = models.CharField(max_length=100)
    upstream_model = models.CharField(max_length=200)
    status = models.CharField(max_length=9, choices=Status, db_default=Status.OPEN)
    http_status = models.PositiveSmallIntegerField(null=True)
    error_type = models.CharField(max_length=60, blank=True, db_default="")
    first_token_ms = models.PositiveIntegerField(null=True)
    latency_ms = models.PositiveIntegerField(null=True)
    prompt_tokens = models.BigIntegerField(db_default=0)
    completion_tokens = models.BigIntegerField(db_default=0)
    operator_cost = money(null=True, help_text="What the provider bills us; empty: unknown.")

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["generation", "number"], name="attempt_number_once")
        ]

    def __str__(self) -> str:
        return f"{self.generation_id}:{self.number}"


class SpendQuerySet(models.QuerySet["Spend"]):
    def of_key(self, key_id: int) -> "SpendQuerySet":
        return self.filter(owner=f"key:{key_id}")

    def of_keys(self, key_ids: list[int]) -> "SpendQuerySet":
        return self.filter(owner__in=[f"key:{key_id}" for key_id in key_ids])

    def spent_by_kind(self, now: datetime) -> dict[str, Decimal]:
        """What was spent in each current period; zero where nothing was."""
        periods = current_periods(now)
        spent = dict(self.in_periods(list(periods.values())).values_list("period", "spent"))
        return {kind: spent.get(period, Decimal(0)) for kind, period in periods.items()}

    def over(self, age: timedelta) -> "SpendQuerySet":
        """Rows of periods that nothing was counted in for so long, and nothing holds."""
        return self.filter(updated_at__lt=Now() - age, reserved=0).exclude(period="total")

    def in_periods(self, periods: Sequence[str]) -> "SpendQuerySet":
        return self.filter(period__in=periods)


class Spend(models.Model):
    """What an owner (`key:7`, `user:3`) spent and has reserved in one UTC period.

    Periods are `2026-11-21`, `2026-W47`, `2026-11` and `total`, by the database's clock.
    """

    owner = models.CharField(max_length=30)
    period = models.CharField(max_length=10)
    spent = money(db_default=0)
    reserved = money(db_default=0)
    updated_at = models.DateTimeField(db_default=Now())

    objects = SpendQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "spend"
        constraints = [
            models.UniqueConstraint(fields=["owner", "period"], name="spend_owner_period_once"),
            models.CheckConstraint(
                condition=Q(spent__gte=0, reserved__gte=0), name="spend_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.owner} {self.period}"


class RejectionQuerySet(models.QuerySet["Rejection"]):
    def owned_by(self, user: Any) -> "RejectionQuerySet":
        return self.filter(user_id=user.pk)

    def of_key(self, key_id: int) -> "RejectionQuerySet":
        return self.filter(key_id=key_id)

    def since(self, day: date) -> "RejectionQuerySet":
        return self.filter(day__gte=day)

    def older_than(self, age: timedelta) -> "RejectionQuerySet":
        return self.filter(day__lt=TruncDate(Now() - age, tzinfo=UTC))

    def newest_first(self) -> "RejectionQuerySet":
        return self.order_by("-day", "key_id", "code", "error_type")


class Rejection(models.Model):
    """How often a key's requests were refused before they became a generation."""

    day = models.DateField()
    key_id = models.BigIntegerField()
    user_id = models.BigIntegerField()
    code = models.PositiveSmallIntegerField()
    error_type = models.CharField(max_length=60)
    count = models.BigIntegerField(db_default=0)

    objects = RejectionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["day", "key_id", "code", "error_type"], name="rejection_once_a_day"
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.code} {self.error_type}: {self.count}"
