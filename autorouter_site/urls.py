"""Where each page and each API resource lives; autorouter_site/health.py answers probes."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from autorouter_site import sign_in_link
from routing.api.unknown import UnknownView
from settings_ui import account

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="activity"), name="home"),
    path("", include("activity.urls")),
    path("", include("settings_ui.urls")),
    # Handed in here, because no app imports this package.
    path(
        "sign-in/link/<str:token>",
        account.sign_in_by_link,
        {"read": sign_in_link.read},
        name="sign-in-link",
    ),
    # Nobody adds slashes (settings.py), and this one is typed by hand.
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("routing.api.urls")),
    path("v1/", include("routing.api.urls")),
    re_path(r"^(api/)?v1\Z", UnknownView.as_view()),
]
