"""Settlements that the database could not take, kept in a file until it can."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import orjson


class Journal:
    """One process's file of settlements, a JSON line each, flushed to the disk at once."""

    def __init__(self, folder: Path, worker: int) -> None:
        self.path = folder / f"{worker}.jsonl"
        # Threads write to it, and who takes half a line back must not take another's along.
        self._turn = Lock()
        # The lines put aside, once one was: many may come back at once, and each is looked up.
        self._rejected: set[bytes] | None = None

    def append(self, settlement: dict[str, Any]) -> None:
        """Keep a settlement; when this returns it survives a power cut. Raises OSError."""
        self._append(self.path, settlement)

    def reject(self, settlement: dict[str, Any]) -> None:
        """Put aside, once, what the database refuses, for a person to look at. Raises OSError.

        A replay that a later line ends, or a crash, comes back with the same line.
        """
        path, line = self.path.with_suffix(".rejected"), orjson.dumps(settlement)
        if self._rejected is None:
            self._rejected = set(_content(path).split(b"\n"))
        if line not in self._rejected:
            self._append(path, settlement)
            self._rejected.add(line)

    def clear(self) -> None:
        """Forget everything: the database has it."""
        self.path.unlink(missing_ok=True)

    def read(self) -> list[dict[str, Any]]:
        """The settlements, oldest first; a last line that a crash cut off is left out."""
        return list(_whole_lines(_content(self.path)))

    def _append(self, path: Path, settlement: dict[str, Any]) -> None:
        """Add a line, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        line = orjson.dumps(settlement) + b"\n"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            with self._turn:
                _write_whole(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            _keep_name(path.parent)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        # Another process may have replayed it just now, or nothing was put aside yet.
        return b""


def _write_whole(descriptor: int, line: bytes) -> None:
    before = os.fstat(descriptor).st_size
    if os.write(descriptor, line) < len(line):
        os.ftruncate(descriptor, before)
        raise OSError(errno.ENOSPC, "no space left for the journal")


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
