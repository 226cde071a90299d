"""The version of the artefact in use, without loading its weights."""

import json
from pathlib import Path

ABOUT = Path(__file__).with_name("artefact") / "heads.json"

# Stored with each generation, so that a decision can be traced to the weights that made it.
VERSION = str(json.loads(ABOUT.read_text(encoding="utf-8"))["version"])
