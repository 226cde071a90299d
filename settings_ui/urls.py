"""The addresses of signing in, the account and the settings."""

from django.contrib.auth.decorators import login_required
from django.urls import path
from django.views.generic import RedirectView

from settings_ui import account, views

urlpatterns = [
    path("sign-in", account.SignIn.as_view(), name="sign-in"),
    path("sign-out", account.SignOut.as_view(), name="sign-out"),
    path("account/password", account.ChangePassword.as_view(), name="password"),
    path("account/theme", account.theme, name="theme"),
    path("settings", login_required(RedirectView.as_view(pattern_name="plugins"))),
    path("settings/plugins", views.plugins, name="plugins"),
    path("settings/plugins/auto-router", views.auto_router_settings, name="auto-router"),
    path(
        "settings/plugins/auto-router/preview",
        views.auto_router_preview,
        name="auto-router-preview",
    ),
    path("settings/keys", views.keys, name="keys"),
    path("settings/keys/new", views.new_key, name="new-key"),
    path("settings/keys/<int:key_id>", views.edit_key, name="edit-key"),
    path("settings/keys/<int:key_id>/delete", views.delete_key, name="delete-key"),
    path(
        "settings/keys/<int:key_id>/disable",
        views.switch_key,
        {"disabled": True},
        name="disable-key",
    ),
    path(
        "settings/keys/<int:key_id>/enable",
        views.switch_key,
        {"disabled": False},
        name="enable-key",
    ),
]
