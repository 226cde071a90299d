"""What may be typed into the settings pages."""

from datetime import UTC, date, datetime, time
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils import timezone

from routing.engine import patterns
from routing.models import ApiKey
from routing.validators import validate_patterns

CODE_INPUT = {"spellcheck": "false", "autocapitalize": "none", "autocomplete": "off"}


class PatternsField(forms.CharField):
    """Patterns, one per line; commas are accepted too."""

    widget = forms.Textarea

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, strip=False, **options)
        self.widget.attrs |= {"rows": 6, **CODE_INPUT}

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: str) -> list[str]:
        found = patterns.normalise(super().clean(value))
        validate_patterns(found)
        return found


class TradeoffField(forms.CharField):
    """An integer from 0 to 10 in plain digits, as the API accepts it."""

    widget = forms.NumberInput(attrs={"min": 0, "max": 10, "step": 1, "inputmode": "numeric"})

    def __init__(self, **options: Any) -> None:
        super().__init__(strip=False, **options)
        message = "%(value)s is not on the dial; a whole number from 0 to 10 is accepted."
        self.validators.append(RegexValidator(r"\A(?:10|[0-9])\Z", message))

    def clean(self, value: Any) -> int:
        return int(super().clean(value))


class AutoRouterForm(forms.Form):
    enabled = forms.BooleanField(
        required=False,
        label="Use these defaults",
        help_text="Off: requests use the built-in values, all models at 7.",
    )
    allowed_models = PatternsField(
        label="Allowed models",
        help_text="One pattern per line; * stands for anything. Empty: every model of the pool.",
    )
    excluded_models = PatternsField(
        label="Excluded models",
        help_text="Taken away from the allowed ones. Empty: none.",
    )
    cost_quality_tradeoff = TradeoffField(
        label="Cost / quality dial",
        help_text="0 is the best quality, 10 the lowest cost.",
    )
    prevent_overrides = forms.BooleanField(
        required=False,
        label="Prevent overrides",
        help_text="A request cannot change these values with its own plugin settings.",
    )


class ApiKeyForm(forms.ModelForm):
    expires_on = forms.DateField(
        required=False,
        label="Expires on",
        help_text="Stops working when this day begins, 00:00 UTC. Empty: never.",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    class Meta:
        model = ApiKey
        fields = ["name", "limit", "limit_reset"]
        labels = {"limit": "Spending limit (USD)", "limit_reset": "Limit starts again"}
        help_texts = {
            "name": "For you to recognise it by.",
            "limit": "Requests are refused once it is spent. Empty: no limit.",
            "limit_reset": "At 00:00 UTC; weeks begin on Monday.",
        }
        widgets = {
            "name": forms.TextInput(attrs={"autocomplete": "off"}),
            "limit": forms.NumberInput(attrs={"min": 0, "step": "any", "inputmode": "decimal"}),
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if expires_at := self.instance.expires_at:
            self.initial["expires_on"] = expires_at.astimezone(UTC).date()

    def clean_expires_on(self) -> date | None:
        day = self.cleaned_data["expires_on"]
        if day and "expires_on" in self.changed_data and _begin(day) <= timezone.now():
            raise ValidationError(f"{day} has begun already; a later day is accepted.")
        return day

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("limit_reset") and cleaned.get("limit") is None and "limit" in cleaned:
            self.add_error("limit_reset", "There is no limit that could start again; set one.")
        return cleaned

    def values(self) -> dict[str, Any]:
        """The columns of the key. An untouched day keeps the exact time behind it."""
        cleaned = self.cleaned_data
        expires_at = self.instance.expires_at
        if "expires_on" in self.changed_data:
            expires_at = _begin(cleaned["expires_on"]) if cleaned["expires_on"] else None
        columns = {name: cleaned[name] for name in self.Meta.fields}
        return {**columns, "expires_at": expires_at}


def _begin(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
