"""Settlements that the database could not take, kept in a file until it can."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson


class Journal:
    """One process's file of settlements, a JSON line each, flushed to the disk at once."""

    def __init__(self, folder: Path, worker: int) -> None:
        self.path = folder / f"{worker}.jsonl"

    def append(self, settlement: dict[str, Any]) -> None:
        """Keep a settlement; when this returns it survives a power cut."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not self.path.exists()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, orjson.dumps(settlement) + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            _keep_name(self.path.parent)

    def clear(self) -> None:
        """Forget everything: the database has it."""
        self.path.unlink(missing_ok=True)

    def read(self) -> list[dict[str, Any]]:
        """The settlements, oldest first; a last line that a crash cut off is left out."""
        if not self.path.exists():
            return []
        return list(_whole_lines(self.path.read_bytes()))


def _keep_name(folder: Path) -> None:
    """Flush a folder: without it a new file survives a power cut only as bytes without a name."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def workers(folder: Path) -> list[int]:
    """The processes that left a journal behind."""
    return [int(path.stem) for path in sorted(folder.glob("*.jsonl")) if path.stem.isdigit()]


def _whole_lines(content: bytes) -> Iterator[dict[str, Any]]:
    for line in content.split(b"\n"):
        try:
            yield orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
