"""The app with the pages to change one's settings and keys."""

from django.apps import AppConfig


class SettingsUiConfig(AppConfig):
    name = "settings_ui"
    verbose_name = "Settings pages"
