"""Copies of this tree, with or without a mutant in them."""

import shutil
import subprocess
from pathlib import Path

from tests.mutants.table import Edit, Mutant

ROOT = Path(__file__).resolve().parents[2]


class NoLongerApplies(Exception):
    """The text that a mutant replaces is gone, or is there more than once."""


def edited(text: str, edit: Edit) -> str:
    """The text of a file after an edit; raises NoLongerApplies."""
    found = text.count(edit.old)
    if found != 1:
        raise NoLongerApplies(f"{edit.path} has {found} times, not once:\n{edit.old}")
    return text.replace(edit.old, edit.new)


def apply(mutant: Mutant, tree: Path) -> None:
    """Put a mutant into a tree; raises NoLongerApplies."""
    for edit in mutant.edits:
        path = tree / edit.path
        path.write_text(edited(path.read_text(), edit))


def copy(to: Path) -> Path:
    """Copy the tree as it is now, without what git ignores."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        source, target = ROOT / name, to / name
        # A file that git knows may be gone, and an environment may be a link to another one.
        if source.is_file() and not source.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    return to
