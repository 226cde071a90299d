"""How long a page or a small API call may keep the database busy."""

from django.conf import settings

# Longer than the slowest page over a long log; a lock is held for so long by a migration alone.
STATEMENT_MS = 30_000
LOCK_MS = 5_000


def bound_statements(statement_ms: int = STATEMENT_MS, lock_ms: int = LOCK_MS) -> None:
    """Have each connection that Django opens from now on in this process give up in time.

    For a web process alone: migrations, the catalogue and retention may take as long as they need.
    Its completions have shorter limits of their own (activity/connections.py), which win.
    """
    options = settings.DATABASES["default"]["OPTIONS"]
    ours = f"-c statement_timeout={statement_ms} -c lock_timeout={lock_ms}"
    options["options"] = f"{options.get('options', '')} {ours}".strip()
