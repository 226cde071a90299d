"""The addresses of the Activity pages."""

from django.urls import path

from activity import views

urlpatterns = [
    path("activity", views.activity, name="activity"),
    path("activity/export.csv", views.export, name="activity-export"),
    path("activity/<slug:generation_id>", views.generation, name="generation"),
]
