import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from autorouter_site.management.commands.quickstart import WEB, WORKER

ROOT = Path(__file__).parents[2]


def test_the_readme_lists_every_variable_that_is_read() -> None:
    settings = (ROOT / "autorouter_site/settings.py").read_text()
    providers = json.loads((ROOT / "routing/data/providers.json").read_text())["providers"]
    readme = (ROOT / "README.md").read_text()

    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', settings))
    # A key whose provider has nothing left to serve would be a promise that nobody keeps.
    read |= {provider["environment_variable"] for provider in providers if lives(provider)}

    assert set(re.findall(r"^\| `([A-Z_]+)`", readme, re.MULTILINE)) == read


def lives(provider: dict[str, Any]) -> bool:
    return "environment_variable" in provider and (
        "serves_all_under" in provider
        or any("retired" not in endpoint for endpoint in provider["endpoints"])
    )


def test_the_request_of_the_readme_says_first_where_its_key_comes_from() -> None:
    readme = (ROOT / "README.md").read_text()

    before, _, _ = readme.partition("$AUTOROUTER_KEY")

    assert re.search(r"^    export AUTOROUTER_KEY=sk-ar-", before, re.MULTILINE)


@pytest.mark.parametrize("command", [WEB, WORKER], ids=["web", "worker"])
def test_the_documented_processes_run_as_quickstart_starts_them(command: str) -> None:
    production = (ROOT / "docs/production.md").read_text()
    program = command.split(maxsplit=1)[0]

    (documented,) = re.findall(rf"^    {program} (.*?)\n\n", production, re.MULTILINE | re.DOTALL)

    assert options_in(command) <= options_in(documented)


def options_in(command: str) -> set[str]:
    return set(re.findall(r"--[\w-]+(?: [\w.]+)?", command))


def test_the_documented_proxy_takes_our_largest_body_and_stores_none() -> None:
    nginx = (ROOT / "docs/production.md").read_text()

    (megabytes,) = re.findall(r"^    client_max_body_size (\d+)m;$", nginx, re.MULTILINE)

    assert int(megabytes) * 1024 * 1024 > settings.AUTOROUTER_MAX_BODY_BYTES
    assert "    proxy_request_buffering off;\n    proxy_buffering off;\n" in nginx
