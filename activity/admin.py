"""What happened, to look at: an operator can search and read it, nobody can edit it here."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from activity.models import Attempt, Generation, Rejection, Spend


class ReadOnly:
    """Rows that the product writes and no person does."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class AttemptInline(ReadOnly, admin.StackedInline):
    model = Attempt
    verbose_name_plural = "attempts: one upstream call each"


@admin.register(Generation)
class GenerationAdmin(ReadOnly, admin.ModelAdmin):
    list_display = [
        *("created_at", "id", "status", "routed_model", "cost", "provider", "error_type"),
        *("prompt_tokens", "completion_tokens", "latency_ms", "user", "key_name"),
    ]
    list_filter = ["created_at", "status", "usage_source", "usage_anomaly", "streamed"]
    search_fields = ["id__exact"]
    search_help_text = "A whole generation id, as in the X-Generation-Id header."
    ordering = ["-created_at", "-id"]
    # Counting the whole log a second time would only tell how long it is.
    show_full_result_count = False
    inlines = [AttemptInline]


@admin.register(Spend)
class SpendAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["owner", "period", "spent", "reserved", "updated_at"]
    search_fields = ["owner__exact", "period__exact"]
    search_help_text = "An owner such as key:7 or user:3, or a period such as 2026-11 or total."
    ordering = ["-updated_at"]
    show_full_result_count = False


@admin.register(Rejection)
class RejectionAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["day", "code", "error_type", "count", "key_id", "user_id"]
    list_filter = ["day", "code"]
    ordering = ["-day", "-count"]
    show_full_result_count = False
