"""Pages in tests link their static files by plain names: nothing is collected."""

import pytest


@pytest.fixture(autouse=True)
def plain_static(settings):
    settings.STORAGES = {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
