import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.urls import URLResolver, get_resolver, resolve
from django.urls.exceptions import Resolver404

from autorouter_site.asgi import COMPLETION_PATHS
from routing.api.chat import ChatCompletionsView

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("autorouter_site", "settings_ui", "routing", "activity")
MODULES = sorted(
    path.relative_to(ROOT)
    for package in (*PACKAGES, "tests", "bench")
    for path in (ROOT / package).rglob("*.py")
)
# Migrations are written by Django.
WRITTEN = [path for path in MODULES if "migrations" not in path.parts]
OURS = [path for path in MODULES if path.parts[0] in PACKAGES]
# What each package may import of ours: settings_ui -> routing -> activity. The engine is the one
# part of routing that imports nothing of ours, so that everyone may import it.
ALLOWED = {
    "autorouter_site": {"autorouter_site", "settings_ui", "routing", "activity"},
    "settings_ui": {"settings_ui", "routing", "activity"},
    "routing": {"routing", "activity"},
    "activity": {"activity"},
}
LONGEST_FILE, LONGEST_FUNCTION = 400, 50


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield ".".join([*path.parent.parts[: len(path.parent.parts) - node.level + 1], "x"])
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_packages(path: Path) -> set[str]:
    """Our packages that a module imports; the engine does not count, for anyone may have it."""
    return {
        name.split(".")[0]
        for name in imports_of(path)
        if name.split(".")[0] in PACKAGES and not name.startswith("routing.engine")
    }


def functions_of(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def completion_paths() -> set[str]:
    """The paths that the URLconf sends to the view of completions, over all its mounts."""
    mounts = [one for one in get_resolver().url_patterns if isinstance(one, URLResolver)]
    return {
        f"/{mount.pattern}{route.pattern}"
        for mount in mounts
        for route in mount.url_patterns
        if getattr(getattr(route, "callback", None), "cls", None) is ChatCompletionsView
    }


@pytest.mark.parametrize("path", OURS, ids=str)
def test_imports_point_one_way(path: Path) -> None:
    assert imported_packages(path) <= ALLOWED[path.parts[0]]


@pytest.mark.parametrize(
    "path", [path for path in OURS if path.parts[:2] == ("routing", "engine")], ids=str
)
def test_the_engine_imports_nothing_of_ours_and_no_django(path: Path) -> None:
    names = {name.split(".")[0] for name in imports_of(path) if "routing.engine" not in name}

    assert names.isdisjoint({*PACKAGES, "django", "rest_framework", "httpx", "psycopg"})


@pytest.mark.parametrize("path", WRITTEN, ids=str)
def test_a_file_and_its_functions_are_short(path: Path) -> None:
    too_long = [one for one in functions_of(path) if one[1] > LONGEST_FUNCTION]

    assert len((ROOT / path).read_text().splitlines()) <= LONGEST_FILE
    assert too_long == []


@pytest.mark.parametrize("word", ["utils", "helpers", "common", "base", "manager"])
def test_no_module_is_named_for_nothing(word: str) -> None:
    assert [path for path in OURS if path.stem == word] == []


def test_the_urlconf_sends_the_paths_of_completions_to_their_view() -> None:
    assert completion_paths() == COMPLETION_PATHS


@pytest.mark.parametrize("path", sorted(COMPLETION_PATHS))
def test_a_trailing_slash_is_another_path(path: str) -> None:
    assert resolve(path).func.cls is ChatCompletionsView
    assert resolve(f"{path}/").func.cls is not ChatCompletionsView


def test_a_path_outside_the_api_is_not_the_apis() -> None:
    with pytest.raises(Resolver404):
        resolve("/v2/chat/completions")
