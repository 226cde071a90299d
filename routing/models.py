"""Who serves which models at what price, and who may ask."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import ExpressionWrapper, F, Q
from django.db.models.functions import Extract, Now

from activity.paging import PagedQuerySet
from routing.engine.selection import DEFAULT_TRADEOFF
from routing.validators import (
    validate_base_url,
    validate_key_variable,
    validate_name,
    validate_patterns,
)

# OpenAI's o1-pro took 0.0006 a token, searches take 0.005 to 0.035.
MOST_PER_TOKEN = Decimal("0.001")
MOST_PER_UNIT = Decimal(1)
NOT_PER_MILLION = (
    "At most 0.001: a price is in USD per token. $3 per million tokens is 0.000003 per token."
)
NOT_PER_THOUSAND = (
    "At most 1: a price is in USD for one request or one search. $10 per thousand is 0.01."
)


def price(**options: Any) -> models.DecimalField:
    """US dollars per token."""
    return _price(MaxValueValidator(MOST_PER_TOKEN, NOT_PER_MILLION), **options)


def unit_price(**options: Any) -> models.DecimalField:
    """US dollars per request or search."""
    return _price(MaxValueValidator(MOST_PER_UNIT, NOT_PER_THOUSAND), **options)


def _price(most: MaxValueValidator, **options: Any) -> models.DecimalField:
    return models.DecimalField(
        max_digits=20, decimal_places=12, validators=[MinValueValidator(0), most], **options
    )


class Provider(models.Model):
    """Who serves models: an OpenAI-compatible address and the credential for it."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    base_url = models.CharField(
        max_length=500,
        validators=[validate_base_url],
        help_text="Address up to and including the version, such as https://api.openai.com/v1.",
    )
    environment_variable = models.CharField(
        max_length=60,
        blank=True,
        validators=[validate_key_variable],
        help_text="Of the server's environment, such as OPENAI_API_KEY; read at its start, and "
        "used while no key is saved.",
    )
    credential = models.BinaryField(null=True, blank=True, editable=False)
    credential_hint = models.CharField(max_length=8, blank=True, editable=False)
    needs_credential = models.BooleanField(
        default=True, help_text="Off for a local server without keys, such as Ollama."
    )
    enabled = models.BooleanField(default=True)
    cached_in_prompt = models.BooleanField(
        "cached tokens inside prompt tokens",
        default=True,
        help_text="On where prompt_tokens already counts the cached ones, as OpenAI does.",
    )
    cancel_stops_billing = models.BooleanField(
        default=True, help_text="Off where an abandoned request is billed to its end."
    )
    source = models.URLField(blank=True, help_text="Where these facts were read.")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class LanguageModelQuerySet(models.QuerySet["LanguageModel"]):
    def auto_pool(self) -> "LanguageModelQuerySet":
        """The models that openrouter/auto may choose from."""
        return self.filter(in_auto_pool=True, enabled=True)


class LanguageModel(models.Model):
    """A model by its slug, with the capabilities that decide what it can be asked."""

    slug = models.CharField(max_length=200, unique=True)
    canonical_slug = models.CharField(max_length=200, unique=True)
    alias = models.CharField(
        max_length=200, blank=True, help_text="One more id that finds it, such as an older one."
    )
    name = models.CharField(max_length=200)
    created = models.DateTimeField()
    context_length = models.PositiveIntegerField()
    max_output_tokens = models.PositiveIntegerField(null=True, blank=True)
    input_modalities = ArrayField(models.CharField(max_length=20))
    output_modalities = ArrayField(models.CharField(max_length=20))
    supported_parameters = ArrayField(models.CharField(max_length=60), blank=True)
    tokenizer = models.CharField(max_length=40, blank=True)
    hugging_face_id = models.CharField(max_length=200, blank=True)
    knowledge_cutoff = models.DateField(null=True, blank=True)
    expiration_date = models.DateField(null=True, blank=True)
    is_moderated = models.BooleanField(default=False)
    in_auto_pool = models.BooleanField(
        default=False, help_text="Whether openrouter/auto may choose it."
    )
    enabled = models.BooleanField(default=True)

    objects = LanguageModelQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]
        verbose_name = "model"

    def __str__(self) -> str:
        return self.slug


class Endpoint(models.Model):
    """One model at one provider, under the name it has there."""

    model = models.ForeignKey(LanguageModel, on_delete=models.CASCADE, related_name="endpoints")
    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="endpoints")
    upstream_model = models.CharField(max_length=200, help_text="Its name at the provider.")
    source = models.URLField(blank=True, help_text="Where that name was read.")
    context_length = models.PositiveIntegerField(
        null=True, blank=True, help_text="Empty: the model's."
    )
    max_output_tokens = models.PositiveIntegerField(
        null=True, blank=True, help_text="Empty: the model's."
    )
    supported_parameters = ArrayField(
        models.CharField(max_length=60), null=True, blank=True, help_text="Empty: the model's."
    )
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ["model__slug", "provider__name"]
        constraints = [
            models.UniqueConstraint(
                fields=["model", "provider", "upstream_model"], name="endpoint_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.model} at {self.provider}"


class PriceQuerySet(models.QuerySet["Price"]):
    def in_force(self) -> "PriceQuerySet":
        """The price of each endpoint that holds now."""
        started = self.filter(valid_from__lte=Now())
        return started.order_by("endpoint_id", "-valid_from", "-id").distinct("endpoint_id")


class Price(models.Model):
    """What an endpoint charges from a moment on; a change is a new row."""

    class Origin(models.TextChoices):
        CATALOGUE = "catalogue"
        OPERATOR = "operator"

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="prices")
    origin = models.CharField(max_length=9, choices=Origin, default=Origin.OPERATOR, editable=False)
    valid_from = models.DateTimeField(db_default=Now())
    prompt = price()
    completion = price()
    cache_read = price(null=True, blank=True, help_text="Empty: the prompt price.")
    cache_write = price(null=True, blank=True, help_text="Empty: the prompt price.")
    audio = price(null=True, blank=True, help_text="Per audio token in; empty: the prompt price.")
    request = unit_price(default=0, help_text="Per request.")
    web_search = unit_price(default=0, help_text="Per search.")
    long_context_over = models.PositiveIntegerField(
        null=True, blank=True, help_text="Prompt tokens above which the long_ prices apply."
    )
    long_prompt = price(null=True, blank=True)
    long_completion = price(null=True, blank=True)
    long_cache_read = price(null=True, blank=True)
    long_cache_write = price(null=True, blank=True)

    objects = PriceQuerySet.as_manager()

    class Meta:
        ordering = ["-valid_from", "-id"]
        indexes = [models.Index(F("endpoint"), F("valid_from").desc(), name="price_in_force")]
        constraints = [
            models.CheckConstraint(
                condition=Q(prompt__gte=0, completion__gte=0, request__gte=0, web_search__gte=0),
                name="price_not_negative",
            )
        ]

    def __str__(self) -> str:
        return f"{self.endpoint} from {self.valid_from:%Y-%m-%d}"


class ApiKeyQuerySet(PagedQuerySet["ApiKey"]):
    def of_digest(self, digest: str) -> "ApiKeyQuerySet":
        return self.filter(digest=digest)

    def with_expiry(self) -> "ApiKeyQuerySet":
        """Adds is_expired, by the clock that account_of goes by, too."""
        return self.annotate(
            is_expired=ExpressionWrapper(Q(expires_at__lte=Now()), models.BooleanField())
        )

    def account_of(self, digest: str) -> models.QuerySet:
        """All that a completion needs to know of its caller, in one row; expiry since 1970."""
        saved = "user__auto_router_settings__"
        lifetime = ExpressionWrapper(F("expires_at") - Now(), models.DurationField())
        return self.of_digest(digest).values_list(
            "id",
            "name",
            "user_id",
            "limit",
            "limit_reset",
            Extract(lifetime, "epoch"),
            "user__credit__amount",
            f"{saved}enabled",
            f"{saved}allowed_models",
            f"{saved}excluded_models",
            f"{saved}cost_quality_tradeoff",
            f"{saved}prevent_overrides",
            Extract("expires_at", "epoch"),
            "disabled",
            "user__is_active",
        )

    def owned_by(self, user: Any) -> "ApiKeyQuerySet":
        return self.filter(user=user)


class ApiKey(models.Model):
    """A key that may call the API for its user; only its HMAC is stored."""

    class LimitReset(models.TextChoices):
        NEVER = "", "never"
        DAILY = "daily"
        WEEKLY = "weekly"
        MONTHLY = "monthly"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    name = models.CharField(max_length=100, validators=[validate_name])
    digest = models.CharField(max_length=64, unique=True, editable=False)
    label = models.CharField(max_length=40, editable=False, help_text="Its ends, as shown.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(null=True, editable=False)
    disabled = models.BooleanField(default=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    limit = models.DecimalField(
        max_digits=20,
        decimal_places=12,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="USD a period; empty: no limit.",
    )
    limit_reset = models.CharField(
        max_length=7, choices=LimitReset, blank=True, default=LimitReset.NEVER
    )

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        verbose_name_plural = "API keys"
        constraints = [
            models.CheckConstraint(
                condition=Q(limit=None) | Q(limit__gte=0), name="key_limit_not_negative"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.label})"

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


class Credit(models.Model):
    """The total a user may spend, where the operator has set one."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    amount = models.DecimalField(
        max_digits=20, decimal_places=12, validators=[MinValueValidator(0)], help_text="USD."
    )

    class Meta:
        verbose_name_plural = "credit"

    def __str__(self) -> str:
        return f"${self.amount.normalize():f} for {self.user}"


class AutoRouterSettings(models.Model):
    """A user's saved defaults for the auto-router plugin."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="auto_router_settings"
    )
    enabled = models.BooleanField(default=True)
    allowed_models = ArrayField(
        models.CharField(max_length=1024), default=list, blank=True, validators=[validate_patterns]
    )
    excluded_models = ArrayField(
        models.CharField(max_length=1024), default=list, blank=True, validators=[validate_patterns]
    )
    cost_quality_tradeoff = models.PositiveSmallIntegerField(
        default=DEFAULT_TRADEOFF, validators=[MinValueValidator(0), MaxValueValidator(10)]
    )
    prevent_overrides = models.BooleanField(default=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = verbose_name_plural = "Auto Router settings"
        constraints = [
            models.CheckConstraint(
                condition=Q(cost_quality_tradeoff__gte=0, cost_quality_tradeoff__lte=10),
                name="tradeoff_from_0_to_10",
            )
        ]

    def __str__(self) -> str:
        return f"Auto Router settings of {self.user}"


class PinQuerySet(models.QuerySet["Pin"]):
    def expired(self) -> "PinQuerySet":
        idle = timedelta(seconds=settings.AUTOROUTER_STICKY_SECONDS)
        return self.filter(last_success__lt=Now() - idle)


class Pin(models.Model):
    """The endpoint a session stays with; its key names account, requested slug and session."""

    key = models.CharField(primary_key=True, max_length=64)
    user_id = models.BigIntegerField()
    model = models.CharField(max_length=200)
    endpoint_id = models.BigIntegerField()
    last_success = models.DateTimeField(db_default=Now())

    objects = PinQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["last_success"], name="pin_by_age")]

    def __str__(self) -> str:
        return f"{self.model} for user {self.user_id}"
