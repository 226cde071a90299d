"""What a run found out, as tables to read."""

from collections.abc import Iterable
from statistics import mean

from bench.check import Verdict
from bench.memory import STREAMS
from bench.run import Results
from bench.scenarios import EVENTS, STREAM_TOKENS, Measurement

OURS, LITELLM, DIRECT = "auto router", "litellm", "direct"
GOALS = {
    "JSON, 0 ms upstream, c=64": 8.0,
    f"{EVENTS}-event streams, c=16": 20.0,
}

# The share of errors beyond which a figure is none.
MOST_BAD = 0.01

Row = list[str]


def text(results: Results, verdicts: list[Verdict]) -> str:
    sections = [
        _heading(results),
        _loads(results),
        _long_streams(results),
        _memory(results),
        _history(results),
        _goals(results),
        _check(verdicts),
    ]
    return "\n\n".join(section for section in sections if section)


def exit_code(verdicts: list[Verdict]) -> int:
    return 1 if any(one.is_regression for one in verdicts) else 0


def _heading(results: Results) -> str:
    facts = [f"{name}: {value}" for name, value in results.machine.items()]
    times = ", ".join(f"{one.p50_ms:.2f}" for one in results.commits)
    return "\n".join(
        [
            "",
            *facts,
            "server under test alone on its core; upstream, load and PostgreSQL on the other",
            f"a decision chose from {results.candidates} candidates",
            f"durable commit of one row, p50 ms: {times}",
        ]
    )


def _loads(results: Results) -> str:
    header = [
        "scenario", "target", "req/s", "p50 ms", "p99 ms", "added p50", "added p99",
        "CPU ms", "db CPU ms", "x LiteLLM", "bad",
    ]  # fmt: skip
    rows = [
        _load_row(results, scenario, target)
        for scenario, target in _pairs(results.measured, long=False)
    ]
    return _table("Requests (p50 and p99: whole answer; streams: first token)", header, rows)


def _load_row(results: Results, scenario: str, target: str) -> Row:
    found = _of(results.measured, scenario, target)
    direct = _of(results.measured, scenario, DIRECT)
    peer = _of(results.measured, scenario, LITELLM)
    names = ("ttft50", "ttft99") if found[0].scenario.load.stream else ("p50", "p99")
    values = [_mean(found, name) for name in names]
    base = [_mean(direct, name) for name in names]
    rate = _mean(found, "rps")
    times = rate / _mean(peer, "rps") if peer and _mean(peer, "rps") else None
    is_ours = target.startswith(OURS)
    return [
        scenario,
        target,
        f"{rate:,.0f}",
        *(f"{value:.2f}" for value in values),
        *_added(target, values, base if direct else []),
        f"{_cpu(found):.3f}" if found[0].cpu_ms else "",
        f"{_database_cpu(found):.3f}" if is_ours else "",
        f"{times:.1f}" if times is not None and is_ours else "",
        _bad(found),
    ]


def _long_streams(results: Results) -> str:
    header = [
        "scenario", "target", "tokens/s", "cores", "TTFT p50 ms", "p99", "added p50", "added p99",
        "gap p99 ms", "bad",
    ]  # fmt: skip
    rows = []
    for scenario, target in _pairs(results.measured, long=True):
        found = _of(results.measured, scenario, target)
        direct = _of(results.measured, scenario, DIRECT)
        first = [_mean(found, name) for name in ("ttft50", "ttft99")]
        base = [_mean(direct, name) for name in ("ttft50", "ttft99")]
        # A role, a reason to finish and the usage are events without a token.
        tokens = _mean(found, "ev_s") * STREAM_TOKENS / (STREAM_TOKENS + 3)
        rows.append(
            [
                scenario,
                target,
                f"{tokens:,.0f}",
                f"{mean(one.cores for one in found):.2f}" if target != DIRECT else "",
                *(f"{value:.1f}" for value in first),
                *_added(target, first, base),
                f"{_mean(found, 'gap99'):.0f}",
                _bad(found),
            ]
        )
    return _table("Long streams", header, rows)


def _added(target: str, values: list[float], base: list[float]) -> Row:
    if target == DIRECT or not base:
        return [""] * len(values)
    return [f"{value - of:+.2f}" for value, of in zip(values, base, strict=True)]


def _memory(results: Results) -> str:
    header = ["target", "streams", "KB each", "MB without", "MB with"]
    rows = [
        [
            one.target,
            f"{one.streams:,}",
            f"{one.kilobytes_each:.1f}",
            f"{one.without_kb / 1024:.0f}",
            f"{one.with_kb / 1024:.0f}",
        ]
        for one in results.memory
    ]
    return _table("Idle streams", header, rows)


def _history(results: Results) -> str:
    header = ["rows", "what", "req/s", "p50 ms", "p99 ms", "bad"]
    rows = [
        [
            f"{number:,}",
            what,
            f"{counted['rps']:,.0f}",
            f"{counted['p50']:.1f}",
            f"{counted['p99']:.1f}",
            str(counted["errs"] + counted["non200"]),
        ]
        for number, what, counted in results.history
    ]
    return _table("With rows of history", header, rows)


def _goals(results: Results) -> str:
    found = [*_ratio_goals(results), *_own_goals(results)]
    lines = [f"  {'reached' if is_reached else 'MISSED '}  {what}" for is_reached, what in found]
    return "\n".join(["Goals", *lines]) if lines else ""


def _ratio_goals(results: Results) -> Iterable[tuple[bool, str]]:
    for scenario, least in GOALS.items():
        ours = _of(results.measured, scenario, OURS)
        peer = _of(results.measured, scenario, LITELLM)
        if ours and peer:
            ratio = _mean(ours, "rps") / max(_mean(peer, "rps"), 0.1)
            is_reached = ratio >= least and _is_sound(ours)
            yield is_reached, f"{scenario}: {ratio:.1f} x LiteLLM, at least {least:.0f}"


def _own_goals(results: Results) -> Iterable[tuple[bool, str]]:
    if alone := _of(results.measured, "JSON, 0 ms upstream, c=1", OURS):
        most = 2 * mean(one.p50_ms for one in results.commits) + 1.5
        p50 = _mean(alone, "p50")
        is_reached = p50 <= most and _is_sound(alone)
        yield is_reached, f"one connection: p50 {p50:.2f} ms, two commits and 1.5 ms: {most:.2f}"
    for one in results.memory:
        if one.target == OURS:
            each = one.kilobytes_each
            yield (
                each <= 80 and one.streams == STREAMS,
                f"{one.streams:,} idle streams: {each:.1f} KB each, at most 80",
            )
    name = "200 streams of 50 tokens/s"
    ours, direct = _of(results.measured, name, OURS), _of(results.measured, name, DIRECT)
    if ours and direct:
        added = _mean(ours, "ttft99") - _mean(direct, "ttft99")
        yield (
            added <= 15 and _is_sound(ours),
            f"{name}: first token {added:+.1f} ms at p99, at most +15",
        )


def _is_sound(found: list[Measurement]) -> bool:
    """Whether nearly all answers were answers: an error is quick and says nothing of speed."""
    answered = sum(one.counted["total"] for one in found)
    return answered > 0 and int(_bad(found)) <= MOST_BAD * answered


def _check(verdicts: list[Verdict]) -> str:
    return "\n".join(["CPU per request", *(f"  {one}" for one in verdicts)])


def _pairs(measured: list[Measurement], *, long: bool) -> list[tuple[str, str]]:
    """Scenario and target of each row, in the order of the run."""
    wanted = [one for one in measured if (one.scenario.group == "long streams") == long]
    return list(dict.fromkeys((one.scenario.name, one.target) for one in wanted))


def _of(measured: list[Measurement], scenario: str, target: str) -> list[Measurement]:
    return [one for one in measured if (one.scenario.name, one.target) == (scenario, target)]


def _mean(found: list[Measurement], name: str) -> float:
    return mean(one.counted[name] for one in found) if found else 0.0


def _cpu(found: list[Measurement]) -> float:
    return mean(one.cpu_ms for one in found)


def _database_cpu(found: list[Measurement]) -> float:
    return mean(one.database_cpu_ms for one in found)


def _bad(found: list[Measurement]) -> str:
    """Answers other than 200, and connections that broke."""
    return str(sum(one.counted["errs"] + one.counted["non200"] for one in found))


def _table(title: str, header: Row, rows: list[Row]) -> str:
    """Lines of text; the cells that are names stand left, numbers right."""
    if not rows:
        return ""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    names = [any(char.isalpha() for char in cell) for cell in rows[0]]
    lines = []
    for row in (header, *rows):
        cells = zip(row, widths, names, strict=True)
        lines.append(
            "  ".join(f"{cell:{'<' if name else '>'}{width}}" for cell, width, name in cells)
        )
    return "\n".join([title, *(f"  {line.rstrip()}" for line in lines)])
