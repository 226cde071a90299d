"""The app that answers a request."""

from django.apps import AppConfig


class RoutingConfig(AppConfig):
    name = "routing"
