import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_readme_lists_every_variable_that_settings_reads() -> None:
    settings = (ROOT / "autorouter_site/settings.py").read_text()
    readme = (ROOT / "README.md").read_text()

    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', settings))
    read |= set(re.findall(r'^        "([A-Z]+_API_KEY)",$', settings, re.MULTILINE))

    assert set(re.findall(r"^\| `([A-Z_]+)`", readme, re.MULTILINE)) == read
