#!/usr/bin/env python
"""Runs Django's commands with this project's settings."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from autorouter_site import bootstrap

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "autorouter_site.settings")
    if sys.argv[1:2] == ["quickstart"]:
        bootstrap.prepare(sys.argv[2:], os.environ)
    elif sys.argv[1:2] and sys.argv[1] in bootstrap.WITHOUT_DATABASE:
        bootstrap.fill_in(os.environ)
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        # It says which variable to set; where in the code it is read helps nobody.
        sys.exit(str(error))
