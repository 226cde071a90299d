import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


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
