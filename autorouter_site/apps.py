"""The project's own app, and the branded admin site in place of Django's."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class SiteConfig(AppConfig):
    name = "autorouter_site"
    verbose_name = "Auto Router"


class SiteAdminConfig(admin_apps.AdminConfig):
    default_site = "autorouter_site.admin.OperatorSite"
