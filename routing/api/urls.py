"""The REST API; mounted at /api/v1 and, for clients that insist, at /v1."""

from django.urls import path, re_path

from routing.api.chat import ChatCompletionsView
from routing.api.generations import GenerationView
from routing.api.keys import KeyView
from routing.api.models import ModelsView, ModelView
from routing.api.unknown import UnknownView

urlpatterns = [
    path("chat/completions", ChatCompletionsView.as_view(), name="chat-completions"),
    path("models", ModelsView.as_view(), name="models"),
    path("models/<path:slug>", ModelView.as_view(), name="model"),
    path("key", KeyView.as_view(), name="key"),
    path("auth/key", KeyView.as_view(), name="auth-key"),
    path("generation", GenerationView.as_view(), name="generation-by-id"),
    # path("<path:rest>") would let an empty rest, or one with a line end, go to an HTML page.
    re_path(r"[\s\S]*", UnknownView.as_view(), name="unknown"),
]
