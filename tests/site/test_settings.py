import os
import subprocess
import sys
from pathlib import Path

import pytest

from autorouter_site.bootstrap import SECRETS

ROOT = Path(__file__).parents[2]
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
