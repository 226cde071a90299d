"""Log lines as JSON, with anything that looks like a secret masked."""

import json
import logging
import re
from datetime import UTC, datetime
from traceback import extract_tb
from typing import Any

MOST_FRAMES = 20
SECRET = re.compile(r"(sk-[A-Za-z0-9-]{4})[A-Za-z0-9_-]{8,}|(Bearer\s+)\S+|(key=)[^\s&]+")


class SecretFilter(logging.Filter):
    """Masks keys and bearer tokens; the second line of defence, not the first."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = SECRET.sub(
            lambda m: f"{next(filter(None, m.groups()))}***", record.getMessage()
        )
        record.args = ()
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object a line; control characters cannot forge a second line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[0]:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Where it happened and what it was; an exception's own text may hold a prompt."""
        kind, _, traceback = ei
        frames = traceback_of(traceback)
        return f"{kind.__name__} at {' < '.join(frames)}"


def traceback_of(traceback: Any) -> list[str]:
    frames = extract_tb(traceback)[-MOST_FRAMES:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames)]
