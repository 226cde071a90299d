"""Says what an analysis of prompts is worth on graded data, beside simpler policies.

    graded = load(Path("data"))  # prompts.jsonl[.gz] and scores.csv[.gz]
    report = evaluate(graded)  # of the analysis in place, or evaluate(graded, analyse=other)

No Django, no network; numpy alone.
"""

from routing.engine.evaluation.data import BadData, Graded, load
from routing.engine.evaluation.groups import by_key
from routing.engine.evaluation.judgement import judge
from routing.engine.evaluation.report import (
    Quality,
    Report,
    evaluate,
    evaluate_folder,
    evaluate_groups,
)
from routing.engine.evaluation.trial import reading_of

__all__ = [
    "BadData",
    "Graded",
    "Quality",
    "Report",
    "by_key",
    "evaluate",
    "evaluate_folder",
    "evaluate_groups",
    "judge",
    "load",
    "reading_of",
]
