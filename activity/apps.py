"""The app that knows what was asked and what it cost."""

from django.apps import AppConfig


class ActivityConfig(AppConfig):
    name = "activity"
