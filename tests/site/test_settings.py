import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autorouter_site import bootstrap, required
from autorouter_site.bootstrap import SECRETS

ROOT = Path(__file__).parents[2]
SHOW_HSTS = """
from django.conf import settings
names = ("SECONDS", "INCLUDE_SUBDOMAINS", "PRELOAD")
print(*(getattr(settings, f"SECURE_HSTS_{name}") for name in names))
"""
WARN = "import django, warnings; django.setup(); warnings.warn('Look out')"
SHOW_KEYS = "from autorouter_site.settings import *; print(AUTOROUTER_PROVIDER_KEYS)"


@pytest.mark.parametrize(
    "name", ["SECRET_KEY", "AUTOROUTER_KEY_PEPPER", "AUTOROUTER_CREDENTIAL_KEYS", "DATABASE_URL"]
)
def test_what_is_missing_stops_the_start_by_its_name(name: str, tmp_path: Path) -> None:
    given = {key: value for key, value in os.environ.items() if key != name}

    started = subprocess.run(
        [sys.executable, "-c", "import autorouter_site.settings"],
        cwd=ROOT,
        env=given | {"AUTOROUTER_VAR_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert started.returncode != 0
    assert f"Set the {name} environment variable" in started.stderr


SHORT, GOOD_KEY = "aB3" * 10, base64.b64encode(bytes(32)).decode()
SHORT_KEY = base64.b64encode(b"twelve bytes").decode()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("SECRET_KEY", "", "SECRET_KEY has 0 characters; it must have 32 or more"),
        ("SECRET_KEY", " " * 40, "SECRET_KEY has 0 characters"),
        ("AUTOROUTER_KEY_PEPPER", "", "AUTOROUTER_KEY_PEPPER has 0 characters"),
        ("AUTOROUTER_KEY_PEPPER", SHORT, "AUTOROUTER_KEY_PEPPER has 30 characters"),
        ("AUTOROUTER_CREDENTIAL_KEYS", "", "32 bytes in base64; it is empty"),
        ("AUTOROUTER_CREDENTIAL_KEYS", f"1:{SHORT_KEY}", "entry 1 is something else"),
        ("AUTOROUTER_CREDENTIAL_KEYS", f"two:{GOOD_KEY}", "entry 1 is something else"),
        ("AUTOROUTER_CREDENTIAL_KEYS", f"2:{GOOD_KEY},{GOOD_KEY}", "entry 2 is something else"),
        ("AUTOROUTER_CREDENTIAL_KEYS", f"300:{GOOD_KEY}", "entry 1 is something else"),
        ("AUTOROUTER_CREDENTIAL_KEYS", f"1:{GOOD_KEY},1:{GOOD_KEY}", "has a version twice"),
        ("AUTOROUTER_RETENTION_DAYS", "-1", "is '-1'; it must be a number of days from 0"),
        ("AUTOROUTER_STICKY_SECONDS", "five", "is 'five'; it must be a whole number"),
        ("AUTOROUTER_MAX_PARALLEL", "-1", "is '-1'; it must be a whole number"),
        ("AUTOROUTER_TOTAL_SECONDS", "1h", "is '1h'; it must be seconds, more than 0"),
        ("AUTOROUTER_NEXT_BYTE_SECONDS", "nan", "is 'nan'; it must be seconds, more than 0"),
        ("AUTOROUTER_HTTPS", "ture", "is 'ture'; it must be true or false"),
        ("AUTOROUTER_LOG_LEVEL", "LOUD", "is 'LOUD'; it must be one of CRITICAL, "),
        ("DATABASE_URL", "", "DATABASE_URL must be postgresql://USER"),
        ("DATABASE_URL", "postgresql://db.example", "DATABASE_URL must be postgresql://USER"),
        ("DATABASE_URL", f"sqlite:///{SHORT}", "DATABASE_URL must be postgresql://USER"),
        ("DATABASE_URL", f"postgresql://u@h:{SHORT}/x", "DATABASE_URL must be postgresql://USER"),
    ],
)
def test_a_value_that_does_harm_stops_the_start(
    tmp_path: Path, name: str, value: str, told: str
) -> None:
    checked = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env=os.environ | {"AUTOROUTER_VAR_DIR": str(tmp_path), name: value},
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 1
    assert told in checked.stderr
    assert name in checked.stderr
    assert "Traceback" not in checked.stderr
    assert not [part for part in (SHORT, SHORT_KEY, GOOD_KEY) if part in checked.stderr]


def test_each_credential_key_has_its_version() -> None:
    entries = [f"2:{GOOD_KEY}", f" 1:{GOOD_KEY}"]

    assert list(required.key_ring("X", entries).items()) == [(2, bytes(32)), (1, bytes(32))]


def test_what_stands_in_for_secrets_is_taken_by_the_settings(tmp_path: Path) -> None:
    checked = subprocess.run(
        [sys.executable, "-c", "import autorouter_site.settings"],
        cwd=ROOT,
        env=bootstrap.UNUSED | {"AUTOROUTER_VAR_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stderr


@pytest.fixture
def behind_tls(tmp_path: Path) -> dict[str, str]:
    """The environment of a process behind a proxy that ends TLS."""
    return os.environ | {"AUTOROUTER_HTTPS": "true", "AUTOROUTER_VAR_DIR": str(tmp_path)}


def test_behind_tls_the_deployment_check_is_clean(behind_tls: dict[str, str]) -> None:
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]

    checked = subprocess.run(
        command, cwd=ROOT, env=behind_tls, capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stderr


def test_hsts_binds_no_other_host(behind_tls: dict[str, str]) -> None:
    shown = subprocess.run(
        [sys.executable, "-c", SHOW_HSTS],
        cwd=ROOT,
        env=behind_tls | {"DJANGO_SETTINGS_MODULE": "autorouter_site.settings"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert shown.stdout == "31536000 False False\n"


def test_a_warning_is_a_line_of_json() -> None:
    warned = subprocess.run(
        [sys.executable, "-c", WARN],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "autorouter_site.settings"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(warned.stderr)["logger"] == "py.warnings"


def test_only_variables_named_as_keys_of_providers_are_read_as_such(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("BAR_API_TOKEN=of-the-file\n")
    ours = {name: os.environ[name] for name in (*SECRETS, "DATABASE_URL")}

    shown = subprocess.run(
        [sys.executable, "-c", SHOW_KEYS],
        cwd=ROOT,
        env=ours | {"FOO_API_KEY": "x", "AUTOROUTER_VAR_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert shown.stdout == "{'FOO_API_KEY': 'x', 'BAR_API_TOKEN': 'of-the-file'}\n"
