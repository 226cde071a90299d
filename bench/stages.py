"""Which stage of a request a sampled stack belongs to."""

from collections.abc import Iterable, Sequence

SERVER = "server: granian, event loop, waiting"
COMMIT = "commit of intent and settlement: writer, psycopg"
# The innermost frame of ours decides; of two that fit, the one that stands first.
# A file of the project, the start of a function's name, the stage.
STAGES: tuple[tuple[str, str, str], ...] = (
    ("autorouter_site/asgi.py", "", "guard and request object"),
    ("autorouter_site/guard.py", "", "guard and request object"),
    ("autorouter_site/lean.py", "send_response", "response"),
    ("autorouter_site/lean.py", "", "guard and request object"),
    ("routing/apiview.py", "", "guard and request object"),
    ("routing/authentication.py", "", "key"),
    ("routing/credentials.py", "", "key"),
    ("routing/snapshot.py", "", "key"),
    ("routing/completion.py", "", "parse and validate"),
    ("routing/messages.py", "", "parse and validate"),
    ("routing/fields.py", "", "parse and validate"),
    ("routing/preferences.py", "", "parse and validate"),
    ("routing/engine/conversation.py", "", "decision: analysis"),
    ("routing/engine/predictor.py", "", "decision: prediction"),
    ("routing/engine/heads.py", "", "decision: prediction"),
    ("routing/engine/selection.py", "", "decision: ranking"),
    ("routing/engine/", "", "decision: analysis"),
    ("routing/eligibility.py", "", "decision: eligibility"),
    ("routing/sticky.py", "", "decision: pin"),
    ("routing/decision.py", "_pin", "decision: pin"),
    ("routing/decision.py", "_receipt", "decision: receipt"),
    ("routing/decision.py", "_analysis", "decision: receipt"),
    ("routing/decision.py", "", "decision: candidates and order"),
    ("routing/policy.py", "", "decision: candidates and order"),
    ("activity/writer.py", "", COMMIT),
    ("activity/database.py", "", COMMIT),
    ("activity/ledger.py", "", COMMIT),
    ("activity/connections.py", "", "decision: pin"),
    ("activity/recording.py", "settle", "settlement"),
    ("activity/recording.py", "", "intent"),
    ("routing/estimate.py", "", "intent"),
    ("routing/relay.py", "_settle", "settlement"),
    ("routing/relay.py", "_end_call", "settlement"),
    ("routing/relay.py", "_open", "intent"),
    ("routing/pinning.py", "", "settlement"),
    ("routing/pricing.py", "", "settlement"),
    ("routing/usage.py", "", "settlement"),
    ("routing/upstream.py", "", "upstream call"),
    ("routing/connector.py", "", "upstream call"),
    ("routing/transport.py", "", "upstream call"),
    ("routing/connection.py", "", "upstream call"),
    ("routing/streaming.py", "", "response"),
    ("routing/wire.py", "request_body", "upstream call"),
    ("routing/wire.py", "", "response"),
    ("routing/progress.py", "", "response"),
    ("routing/relay.py", "_attempt", "upstream call"),
    ("routing/relay.py", "", "response"),
    ("routing/api/", "", "response"),
)
# Callbacks of the event loop have no frame of ours below them.
LIBRARIES = (
    ("httpx", "upstream call"),
    ("psycopg", COMMIT),
)


def stage_of(stack: Sequence[str], root: str) -> str:
    """The stage of a stack of "file:function", innermost first."""
    for frame in stack:
        path, _, function = frame.rpartition(":")
        if found := _ours(path.removeprefix(root).lstrip("/"), function):
            return found
    return _library(stack)


def _ours(path: str, function: str) -> str:
    for start, name, stage in STAGES:
        if path.startswith(start) and function.startswith(name):
            return stage
    return ""


def _library(stack: Iterable[str]) -> str:
    for frame in stack:
        for name, stage in LIBRARIES:
            if f"/{name}" in frame:
                return stage
    return SERVER
