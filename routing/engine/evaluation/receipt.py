"""A decision explained: what the prompt was taken for, and what each model was expected to do."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from routing.engine.analysis import Analysis, analyse
from routing.engine.conversation import read
from routing.engine.evaluation.data import BadData
from routing.engine.evaluation.text import table
from routing.engine.patterns import names_of, problems, select
from routing.engine.predictor import Candidate, Predictions, predict
from routing.engine.selection import rank

# Positions of the dial whose pick is shown.
DIAL = (0, 3, 5, 7, 10)

# Tasks less likely than this are not listed.
LEAST_SHARE = 0.02

# A model with this parameter searches the web at every request, asked or not, and is billed so.
SEARCHES = "web_search_options"


def read_candidates(path: Path, patterns: Sequence[str]) -> list[Candidate]:
    """Return the models of a models.json that any of the patterns names, all if there is none.

    Raises BadData for a pattern that is no good or names nothing.
    """
    entries = json.loads(path.read_text(encoding="utf-8"))["models"]
    if patterns:
        wrong = problems(patterns)
        if wrong:
            raise BadData(wrong[0])
        names = {
            one["slug"]: names_of(one["slug"], one["canonical_slug"], one["alias"])
            for one in entries
        }
        chosen = select(patterns, names)
        entries = [one for one in entries if one["slug"] in chosen]
    if not entries:
        raise BadData(f"No model matches {', '.join(patterns)}.")
    return [_candidate(one) for one in entries]


def receipt(text: str, candidates: Sequence[Candidate], tradeoff: int) -> Iterator[str]:
    """Yield the lines that explain how one user message is routed.

    Raises ValueError for a tradeoff outside 0-10.
    """
    analysis = analyse(read([{"role": "user", "content": text}]))
    predictions = predict(analysis, candidates)
    yield from _analysis_lines(analysis)
    yield ""
    yield from _candidate_lines(predictions, tradeoff)
    yield ""
    picks = [(position, rank(predictions, position)[0]) for position in DIAL]
    rows = [
        (f"{position}", one.slug, f"{one.quality:.2f}", f"${one.cost_usd:.6f}")
        for position, one in picks
    ]
    yield from table(("dial", "pick", "P(success)", "expected cost"), rows, names=2)


def _analysis_lines(analysis: Analysis) -> Iterator[str]:
    likely = sorted(analysis.tasks.items(), key=lambda item: (-item[1], item[0]))
    shares = [f"{task} {share:.0%}" for task, share in likely if share >= LEAST_SHARE]
    needs = ", ".join(sorted(analysis.capabilities)) or "nothing special"
    yield f"task        {', '.join(shares)}"
    yield f"difficulty  {analysis.difficulty:+.2f} logits (0 typical, + harder)"
    yield f"complexity  {analysis.complexity} of 5"
    yield f"tokens      {analysis.prompt_tokens} in, about {analysis.output_tokens:.0f} out"
    yield f"language    {analysis.language}"
    yield f"needs       {needs}"
    if analysis.housekeeping:
        yield "            a chat client's own request, such as for a title"


def _candidate_lines(predictions: Predictions, tradeoff: int) -> Iterator[str]:
    rows = [
        (
            ranked.slug,
            f"{ranked.quality:.2f}",
            f"{ranked.low:.2f}-{ranked.high:.2f}",
            f"${ranked.cost_usd:.6f}",
            f"{ranked.score:.4f}",
        )
        for ranked in rank(predictions, tradeoff)
    ]
    score = f"score at {tradeoff}"
    yield from table(("model, best first", "P(success)", "80 %", "expected cost", score), rows)


def _candidate(entry: Mapping[str, Any]) -> Candidate:
    prices = entry["prices"]
    search = prices.get("web_search", 0) if SEARCHES in entry["supported_parameters"] else 0
    return Candidate(
        entry["slug"],
        float(prices["prompt"]),
        float(prices["completion"]),
        float(prices.get("request", 0)) + float(search),
    )
