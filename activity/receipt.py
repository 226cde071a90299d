"""Why this model: a generation's decision and the arithmetic of its cost, in words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from activity import candidates
from activity.dial import WORDS

SOURCES = {
    "request": "set by the request",
    "settings": "from your settings",
    "default": "built in",
}
STRATEGIES = {
    "auto": "The Auto Router ranked the models that could answer and called the best one first.",
    "direct": "The request named this model, so nothing was ranked.",
    "fallback": "The request gave a list of models, tried in its order.",
}
SESSIONS = {
    "session_id": "the session_id of the request",
    "x-session-id": "the x-session-id header",
    "x-session-affinity": "the x-session-affinity header",
    "prompt_cache_key": "the prompt_cache_key of the request",
    "fingerprint": "its opening messages",
}
STICKY = {
    "none": "no model was remembered for it yet",
    "followed": "its remembered model {model} was called again",
    "ineligible": "its remembered model {model} could not serve this one and was kept for later",
    "dropped": "its remembered model {model} was forgotten, because the patterns exclude it now",
    "off": "its memory was off for this request",
    "cooling": "its remembered model {model} was failing of late, so another one was called",
}
VERDICTS = {
    "chosen": "Chosen",
    "dearer_no_gain": "No better and no cheaper",
    "dearer": "Better, but not by enough for its cost",
    "weaker": "Cheaper, but weaker",
    "pinned": "Scored higher, but the conversation stays with its model",
    "listed": "The request lists another model before it",
    "cooling": "Scored higher, but every endpoint of it failed of late",
}
OUT = {
    "pattern": "Outside the allowed patterns",
    "excluded": "Excluded by a pattern",
    "modality": "Cannot read or write this kind of content",
    "tools": "Cannot call tools",
    "response_format": "Cannot keep to the response format",
    "structured_outputs": "Cannot give structured outputs",
    "context": "Context window too small",
    "max_output": "Cannot write that many tokens",
    "parameters": "Lacks a required parameter",
    "no_endpoint": "No provider is switched on for it",
    "provider": "Ruled out by the provider preferences",
    "max_price": "Above the maximum price",
}
CLASSES = {
    "prompt": "Prompt",
    "cache_read": "Prompt, read from cache",
    "cache_write": "Prompt, written to cache",
    "completion": "Completion",
    "audio": "Audio",
    "request": "Request",
    "web_search": "Web search",
    "insurance": "Not charged: empty or failed answer",
}
# Priced per piece; all other classes are priced per token and shown per million.
PIECES = ("request", "web_search", "insurance")
MILLION = 1_000_000
# Below it a share rounds to no percent.
SLIGHT = 0.005


@dataclass(frozen=True, slots=True)
class Candidate:
    """One line of the candidate table; percentages as they are shown, see _percent."""

    model: str
    chosen: bool
    verdict: str
    detail: str
    cost_usd: float
    score: float
    quality: float
    low: float
    high: float

    @property
    def span(self) -> float:
        """Width of the interval."""
        return round(self.high - self.low, 1)


@dataclass(frozen=True, slots=True)
class Group:
    """Models that were out for the same reason."""

    title: str
    members: list[Mapping[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Restriction:
    """Patterns and where they came from."""

    patterns: list[str]
    source: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the page says about a decision; empty values are left out of it."""

    strategy: str
    version: str
    dial: int | None
    dial_words: str
    dial_source: str
    allowed: Restriction
    excluded: Restriction
    overrides_prevented: bool
    sticky: str
    skipped: list[str]
    last_resort: bool
    facts: list[tuple[str, str]]
    candidates: list[Candidate]
    out: list[Group]

    @property
    def out_count(self) -> int:
        return sum(len(group.members) for group in self.out)


@dataclass(frozen=True, slots=True)
class CostLine:
    """Quantity x price = cost."""

    title: str
    quantity: int
    unit_price: Decimal
    per_million: bool
    cost: Decimal


def read(decision: Mapping[str, Any]) -> Receipt | None:
    """Put a stored decision into words; None if nothing was stored. Any key may be missing."""
    if not decision:
        return None
    dial = decision.get("tradeoff") or {}
    value = dial.get("value")
    known = isinstance(value, int) and 0 <= value < len(WORDS)
    return Receipt(
        strategy=STRATEGIES.get(decision.get("strategy", ""), ""),
        version=decision.get("version", ""),
        dial=value if known else None,
        dial_words=WORDS[value] if known else "",
        dial_source=SOURCES.get(dial.get("source", ""), ""),
        allowed=_restriction(decision.get("allowed")),
        excluded=_restriction(decision.get("excluded")),
        overrides_prevented=bool(decision.get("overrides_prevented")),
        sticky=_sticky(decision.get("sticky") or {}),
        skipped=[_skipped(one) for one in decision.get("skipped") or ()],
        last_resort=bool(decision.get("last_resort")),
        facts=_facts(decision.get("analysis") or {}),
        candidates=_candidates(decision),
        out=_groups(decision.get("out") or ()),
    )


def cost_lines(stored: Iterable[Mapping[str, Any]]) -> list[CostLine]:
    """The arithmetic of a cost, exact."""
    return [_cost_line(line) for line in stored]


def total(lines: Iterable[CostLine]) -> Decimal:
    return sum((line.cost for line in lines), Decimal(0))


def prices(stored: Mapping[str, Any]) -> list[tuple[str, Decimal, bool]]:
    """Name, price and whether that is per million tokens, of each rate in force."""
    rates = ((name, value) for name, value in stored.items() if isinstance(value, str))
    return [_rate(name, Decimal(value)) for name, value in rates]


def _rate(name: str, price: Decimal) -> tuple[str, Decimal, bool]:
    per_million = name not in PIECES
    title = CLASSES.get(name) or name.replace("_", " ").capitalize()
    return title, price * MILLION if per_million else price, per_million


def _cost_line(line: Mapping[str, Any]) -> CostLine:
    name = line["class"]
    title, unit_price, per_million = _rate(name, Decimal(line["price"]))
    return CostLine(title, line["quantity"], unit_price, per_million, Decimal(line["cost"]))


def _restriction(stored: Mapping[str, Any] | None) -> Restriction:
    stored = stored or {}
    source = SOURCES.get(stored.get("source", ""), "")
    return Restriction(list(stored.get("patterns") or ()), source)


def _sticky(sticky: Mapping[str, Any]) -> str:
    session = SESSIONS.get(sticky.get("kind", ""))
    state = STICKY.get(sticky.get("state", ""))
    if not session or not state:
        return "The request belongs to no conversation that could be recognised." if sticky else ""
    words = state.format(model=sticky.get("model") or "")
    return f"The conversation was recognised by {session}; {words}."


def _skipped(endpoint: Mapping[str, Any]) -> str:
    """An endpoint that was passed over, and why."""
    name = f"{endpoint.get('model', '')} at {endpoint.get('provider', '')}"
    moment = endpoint.get("until")
    until = f" until {datetime.fromisoformat(moment):%H:%M:%S} UTC" if moment else ""
    return f"{name}: cooling down{until}, after {endpoint.get('after') or 'a failure'}."


def _facts(analysis: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was noticed about the request, as label and value."""
    facts = [
        ("Task", _tasks(analysis)),
        ("Complexity", _present(analysis.get("complexity"), "{} of 5")),
        ("Estimated prompt", _present(analysis.get("prompt_tokens"), "{:,} tokens")),
        ("Estimated answer", _present(analysis.get("output_tokens"), "{:,} tokens")),
        ("Language", _language(analysis.get("language") or "")),
        ("Needs", ", ".join(analysis.get("needs") or ()).replace("_", " ")),
        ("Housekeeping", "a title or summary call" if analysis.get("housekeeping") else ""),
    ]
    return [(label, value) for label, value in facts if value]


def _tasks(analysis: Mapping[str, Any]) -> str:
    """The likely tasks with their shares, the likeliest first."""
    shares = sorted((analysis.get("tasks") or {}).items(), key=lambda pair: -pair[1])
    likely = [f"{_spaced(name)} {share:.0%}" for name, share in shares if share >= 0.05]
    return ", ".join(likely[:3]) or _spaced(str(analysis.get("task") or ""))


def _spaced(task: str) -> str:
    return task.replace("_", " ").replace(":", ": ")


def _language(code: str) -> str:
    """ISO 639-1; "und" is its word for undetermined."""
    return "" if code == "und" else code


def _present(value: int | None, words: str) -> str:
    return "" if value is None else words.format(value)


def _candidates(decision: Mapping[str, Any]) -> list[Candidate]:
    found = candidates.read(decision)
    chosen = next((one for one in found if one["reason"] == "chosen"), None)
    return [_candidate(one, chosen) for one in found]


def _candidate(stored: Mapping[str, Any], chosen: Mapping[str, Any] | None) -> Candidate:
    reason = stored["reason"]
    return Candidate(
        model=stored["model"],
        chosen=stored is chosen,
        verdict=VERDICTS.get(reason) or reason.replace("_", " ").capitalize(),
        detail=_comparison(stored, chosen),
        cost_usd=stored["cost_usd"],
        score=stored["score"],
        quality=_percent(stored["quality"]),
        low=_percent(stored["low"]),
        high=_percent(stored["high"]),
    )


def _comparison(one: Mapping[str, Any], chosen: Mapping[str, Any] | None) -> str:
    """Quality and cost of a candidate against those of the chosen one, in words."""
    if chosen is None or one is chosen or not chosen["cost_usd"]:
        return ""
    share = one["cost_usd"] / chosen["cost_usd"]
    return f"Predicted {_quality_words(one['quality'], chosen['quality'])}, {_cost_words(share)}."


def _quality_words(quality: float, chosen: float) -> str:
    """The difference of the percentages as they are shown."""
    points = round(abs(_percent(quality) - _percent(chosen)), 1)
    if quality == chosen:
        return "as good"
    direction = "better" if quality > chosen else "weaker"
    plural = "" if points == 1 else "s"
    return f"{points:g} point{plural} {direction}" if points else f"slightly {direction}"


def _cost_words(share: float) -> str:
    """A cost as a share of the chosen one's; less than half a percent of difference is slight."""
    if share == 1:
        return "at the same cost"
    if abs(share - 1) < SLIGHT:
        return "slightly dearer" if share > 1 else "slightly cheaper"
    if share < 1:
        return f"{1 - share:.0%} cheaper" if share > SLIGHT else "more than 99% cheaper"
    if share < 2:
        return f"{share - 1:.0%} dearer"
    return f"at {share:,.1f} times the cost" if share < 10 else f"at {share:,.0f} times the cost"


def _percent(share: float) -> float:
    """In whole percent; with a decimal above 99, where all candidates of an easy request lie.

    It stops at 99.9: no prediction is certain.
    """
    percent = max(0.0, min(1.0, share)) * 100
    return round(percent) if percent <= 99 else min(round(percent, 1), 99.9)


def _groups(out: Iterable[Mapping[str, Any]]) -> list[Group]:
    groups: dict[str, Group] = {}
    for member in out:
        reason = member.get("reason", "")
        title = OUT.get(reason) or reason.replace("_", " ").capitalize()
        groups.setdefault(reason, Group(title)).members.append(member)
    return list(groups.values())
