"""The catalogue, keys and settings, as their operator edits them."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.views.main import ChangeList
from django.db.models import Count, Prefetch, QuerySet, URLField
from django.http import HttpRequest
from django.utils import timezone

from activity.admin import ReadOnly
from routing.catalog import credential_problem, read_catalogue, read_providers
from routing.credentials import save_credential
from routing.models import (
    ApiKey,
    AutoRouterSettings,
    Credit,
    Endpoint,
    LanguageModel,
    Pin,
    Price,
    Provider,
)
from routing.pricing import Rates

PROVIDER_HELP = (
    "The facts of a provider that came with the product return with the next catalogue load; its "
    "key and whether it is on stay yours. Any other OpenAI-compatible server can be added. For "
    "Ollama (http://127.0.0.1:11434/v1) or vLLM (http://127.0.0.1:8000/v1), switch the need for a "
    "key off, list its host:port in AUTOROUTER_PRIVATE_UPSTREAMS, and add an endpoint with a price "
    "for each model that it serves; a price of 0 is a price."
)


def per_million(rates: Rates | Price | None) -> str:
    """Prompt and completion price as people say them: USD per million tokens."""
    if rates is None:
        return "no price"
    dollars = [
        f"${(price * 1_000_000).normalize():f}" for price in (rates.prompt, rates.completion)
    ]
    return f"{dollars[0]} in, {dollars[1]} out"


class DeletesPrices:
    """Deletes its prices with it, although a price by itself cannot be deleted."""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, ...]:
        deleted, counts, forbidden, protected = super().get_deleted_objects(objs, request)
        return deleted, counts, forbidden - {"price"}, protected


class Switchable(admin.ModelAdmin):
    """Rows that an operator switches on and off together."""

    # What Django 6 does by itself.
    formfield_overrides = {URLField: {"assume_scheme": "https"}}
    actions = ["switch_on", "switch_off"]

    @admin.action(description="Switch the selected %(verbose_name_plural)s on")
    def switch_on(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        _set(self, request, queryset, enabled=True)

    @admin.action(description="Switch the selected %(verbose_name_plural)s off")
    def switch_off(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        _set(self, request, queryset, enabled=False)


class ProviderForm(forms.ModelForm):
    new_key = forms.CharField(
        label="New key",
        required=False,
        strip=False,
        max_length=2000,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Kept encrypted and never shown again; left empty, the saved key stays.",
    )
    forget_key = forms.BooleanField(label="Forget the saved key", required=False)

    def clean_new_key(self) -> str:
        key = self.cleaned_data["new_key"]
        if problem := credential_problem(key):
            raise forms.ValidationError(problem)
        return key

    def clean(self) -> None:
        super().clean()
        if self.cleaned_data.get("new_key") and self.cleaned_data.get("forget_key"):
            raise forms.ValidationError("Type a new key or forget the saved one, not both.")


class ProviderList(ChangeList):
    """Adds to each provider of the page whether it may be called; in five queries."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        reports = {report.provider.pk: report for report in read_providers()}
        self.result_list = list(self.result_list)
        for provider in self.result_list:
            provider.report = reports.get(provider.pk)


@admin.register(Provider)
class ProviderAdmin(DeletesPrices, Switchable):
    form = ProviderForm
    list_display = ["name", "is_on", "why", "usable_models", "all_endpoints"]
    list_filter = ["enabled"]
    readonly_fields = ["key", "state"]
    prepopulated_fields = {"slug": ["name"]}
    fieldsets = [
        (None, {"fields": ["name", "slug", "base_url", "enabled"], "description": PROVIDER_HELP}),
        (
            "Key",
            {
                "fields": [
                    *("key", "new_key", "forget_key"),
                    *("environment_variable", "needs_credential"),
                ]
            },
        ),
        ("Billing", {"fields": ["cached_in_prompt", "cancel_stops_billing", "source"]}),
        (None, {"fields": ["state"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Provider]:
        return super().get_queryset(request).annotate(all_endpoints=Count("endpoints"))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ProviderList

    def save_model(self, request: HttpRequest, obj: Provider, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if key := form.cleaned_data["new_key"]:
            save_credential(obj, key)
        elif form.cleaned_data["forget_key"]:
            obj.credential, obj.credential_hint = None, ""
            obj.save(update_fields=["credential", "credential_hint"])

    @admin.display(description="on", boolean=True)
    def is_on(self, provider: Provider) -> bool:
        return bool(provider.report and provider.report.on)

    @admin.display(description="why")
    def why(self, provider: Provider) -> str:
        return provider.report.why if provider.report else ""

    @admin.display(description="usable models")
    def usable_models(self, provider: Provider) -> int:
        return provider.report.usable_models if provider.report else 0

    @admin.display(description="endpoints")
    def all_endpoints(self, provider: Provider) -> int:
        return provider.all_endpoints

    @admin.display(description="Key in use")
    def key(self, provider: Provider) -> str:
        if provider.credential:
            return f"saved, ends in …{provider.credential_hint}"
        variable = provider.environment_variable
        return f"from {variable}" if settings.AUTOROUTER_PROVIDER_KEYS.get(variable) else "none"

    @admin.display(description="Now")
    def state(self, provider: Provider) -> str:
        if provider.pk is None:
            return "not saved yet"
        report = next(one for one in read_providers() if one.provider == provider)
        return f"{'on' if report.on else 'off'}: {report.why}"


class PriceForm(forms.ModelForm):
    """A new price holds from now on unless another moment is given."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "valid_from" in self.fields:
            self.initial["valid_from"] = None
            self.fields["valid_from"].required = False
            self.fields["valid_from"].help_text = "UTC; empty: from now on."

    def clean_valid_from(self) -> Any:
        return self.cleaned_data["valid_from"] or timezone.now()


class PriceHistory:
    """Prices are added, never edited: a change is a new row that holds from its moment on."""

    form = PriceForm
    readonly_fields = ["origin"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class PriceInline(PriceHistory, admin.StackedInline):
    model = Price
    extra = 1
    verbose_name_plural = "prices in USD per token or unit, the newest first"


@admin.register(Price)
class PriceAdmin(PriceHistory, admin.ModelAdmin):
    list_display = ["endpoint", "valid_from", "per_million", "cache_read", "cache_write", "origin"]
    list_filter = ["origin", "endpoint__provider"]
    list_select_related = ["endpoint__model", "endpoint__provider"]
    search_fields = ["endpoint__model__slug"]

    @admin.display(description="per million tokens")
    def per_million(self, price: Price) -> str:
        return per_million(price)


@admin.register(Endpoint)
class EndpointAdmin(DeletesPrices, Switchable):
    list_display = ["model", "provider", "upstream_model", "enabled", "price"]
    list_filter = ["enabled", "provider"]
    search_fields = ["model__slug", "upstream_model"]
    inlines = [PriceInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Endpoint]:
        in_force = Prefetch("prices", Price.objects.in_force(), to_attr="prices_in_force")
        return super().get_queryset(request).prefetch_related(in_force)

    @admin.display(description="per million tokens")
    def price(self, endpoint: Endpoint) -> str:
        return per_million(next(iter(endpoint.prices_in_force), None))


class ModelList(ChangeList):
    """Adds to each model of the page what a request would see of it; in three queries."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        models = read_catalogue().models
        self.result_list = list(self.result_list)
        for row in self.result_list:
            row.seen = models.get(row.slug)


@admin.register(LanguageModel)
class LanguageModelAdmin(DeletesPrices, Switchable):
    list_display = ["slug", "is_usable", "in_auto_pool", "price", "expires", "why_not"]
    list_filter = ["enabled", "in_auto_pool", "endpoints__provider"]
    search_fields = ["slug", "canonical_slug", "alias", "name"]
    actions = [*Switchable.actions, "put_in_pool", "take_out_of_pool"]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ModelList

    @admin.display(description="usable", boolean=True)
    def is_usable(self, row: LanguageModel) -> bool:
        return bool(row.seen and row.seen.offers)

    @admin.display(description="why not")
    def why_not(self, row: LanguageModel) -> str:
        return row.seen.unusable if row.seen else ""

    @admin.display(description="per million tokens")
    def price(self, row: LanguageModel) -> str:
        return per_million(row.seen.rates if row.seen else None)

    @admin.display(description="expires", ordering="expiration_date")
    def expires(self, row: LanguageModel) -> str:
        if row.expiration_date is None:
            return ""
        is_past = row.expiration_date <= timezone.now().date()
        return f"⚠ expired {row.expiration_date}" if is_past else str(row.expiration_date)

    @admin.action(description="Put the selected models in the auto pool")
    def put_in_pool(self, request: HttpRequest, queryset: QuerySet[LanguageModel]) -> None:
        _set(self, request, queryset, in_auto_pool=True)

    @admin.action(description="Take the selected models out of the auto pool")
    def take_out_of_pool(self, request: HttpRequest, queryset: QuerySet[LanguageModel]) -> None:
        _set(self, request, queryset, in_auto_pool=False)


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin):
    """Keys are made on their owner's page, where the secret can be shown once."""

    list_display = ["name", "label", "user", "disabled", "expires_at", "limit", "limit_reset"]
    list_filter = ["disabled", "limit_reset"]
    search_fields = ["name", "label", "user__username"]
    fields = [
        "user",
        "name",
        "label",
        "created_at",
        "disabled",
        "expires_at",
        *("limit", "limit_reset"),
    ]
    readonly_fields = ["user", "label", "created_at"]
    actions = ["disable"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        obj.updated_at = timezone.now()
        super().save_model(request, obj, form, change)

    @admin.action(description="Disable the selected API keys")
    def disable(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        _set(self, request, queryset, disabled=True)


@admin.register(Credit)
class CreditAdmin(admin.ModelAdmin):
    list_display = ["user", "amount"]
    search_fields = ["user__username"]


@admin.register(AutoRouterSettings)
class AutoRouterSettingsAdmin(admin.ModelAdmin):
    list_display = [
        *("user", "enabled", "cost_quality_tradeoff", "prevent_overrides", "allowed_models"),
        *("excluded_models", "updated_at"),
    ]
    search_fields = ["user__username"]


@admin.register(Pin)
class PinAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["last_success", "model", "endpoint_id", "user_id"]
    ordering = ["-last_success"]
    show_full_result_count = False


def _set(
    model_admin: admin.ModelAdmin, request: HttpRequest, queryset: QuerySet[Any], **change: bool
) -> None:
    """Change one switch of the selected rows, and say so in the admin's history."""
    rows = list(queryset)
    queryset.update(**change)
    words = ", ".join(f"{name} is {value}" for name, value in change.items())
    LogEntry.objects.log_actions(request.user.pk, rows, CHANGE, words)
    model_admin.message_user(request, f"{len(rows)} changed.", messages.SUCCESS)
