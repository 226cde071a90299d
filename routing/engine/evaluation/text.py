"""The report as text for a terminal: aligned tables, each line with what it means."""

from collections.abc import Iterator, Sequence

from routing.engine.evaluation.groups import TOGETHER, Group
from routing.engine.evaluation.judgement import PLACES
from routing.engine.evaluation.labels import Typing
from routing.engine.evaluation.pair import PairFigures
from routing.engine.evaluation.report import Quality, Report

POLICIES = {
    "router": "the engine: most of P(success) - price of money x g(expected cost)",
    "hull": "static hull: the best mixtures of single models, no look at the prompt",
    "best_single": "the best single model that each cost allows, no mixing",
    "random": "up the static hull, lots decide who gets the stronger model",
    "length": "up the static hull, long prompts get the stronger model",
    "length_reversed": "up the static hull, short prompts get the stronger model",
    "neighbours": "success predicted from the 30 prompts with the most words in common",
    "task averages": "success predicted from the model's mean on the task given in the data",
    "oracle": "knows every grade beforehand: nothing can be better",
}
ORDERS = {
    "router": "predicted gain from the stronger model",
    "difficulty": "predicted difficulty alone",
    "random": "lots: what is not 0 here is noise",
    "length": "characters, the longest first",
    "length_reversed": "characters, the shortest first",
}

# A name in the head of a column, and how far a longer one is cut.
WIDEST = 14


def lines(report: Report) -> Iterator[str]:
    """Yield the report's lines."""
    yield from _pools(report.quality)
    yield from _policies(report.quality)
    yield from _ladder(report.quality)
    if report.quality.pair:
        yield from _pair(report.quality.pair)
    if report.typing:
        yield from _typing(report.typing)
    yield ""
    yield "CPU per decision (read, analyse, predict, rank 30 candidates), ms, all threads"
    rows = [(length, f"{one.p50:.3f}", f"{one.p99:.3f}") for length, one in report.cpu_ms.items()]
    yield from table(("characters", "median", "99 %"), rows)


def group_lines(groups: Sequence[Group]) -> Iterator[str]:
    """Yield one line per data set, and the mean over them."""
    yield "Quality over log cost (AIQlog) in points of 100, within each set of prompts;"
    yield "gain is router - hull, +- its standard deviation over the splits."
    names = ("hull", "router", "random", "length", "length_reversed", "oracle")
    rows = [
        (
            one.name,
            str(one.n),
            *(f"{100 * one.aiqlog[name]:.2f}" for name in names),
            f"{one.gain:+.2f}",
            f"{one.gain_sd:.2f}",
            f"{one.ladder['router']:+.2f}",
        )
        for one in groups
    ]
    yield from table(("set", "judged", *names, "gain", "+-", "ladder"), rows)
    gains = [one.gain for one in groups if one.name != TOGETHER]
    yield f"mean gain of the sets {sum(gains) / len(gains):+.2f}, lowest {min(gains):+.2f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, names: int = 1) -> Iterator[str]:
    """Align the first columns left (names) and the others right (numbers)."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        cells = [
            f"{cell:<{width}}" if at < names else f"{cell:>{width}}"
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(["", *cells]).rstrip()


def _pools(quality: Quality) -> Iterator[str]:
    calibrating = sum(pool.calibrating for pool in quality.pools)
    yield f"{quality.n:,} prompts judge; {calibrating:,} others calibrated the models' abilities."
    if quality.left_out:
        yield f"{quality.left_out:,} prompts were graded on models that too few others share."
    if len(quality.pools) > 1:
        yield "Not all models were graded on all prompts: each pool of models is judged by itself,"
        yield "and the figures below are means over pools, weighted by their prompts."
    head = ("best single model", "quality", "models", "calibrate", "judge", "from USD", "to USD")
    rows = [
        (
            pool.best,
            f"{100 * pool.best_quality:.2f}",
            f"{pool.models}",
            f"{pool.calibrating:,}",
            f"{pool.judging:,}",
            f"{pool.low:.3g}",
            f"{pool.high:.3g}",
        )
        for pool in quality.pools
    ]
    yield from table(head, rows)


def _policies(quality: Quality) -> Iterator[str]:
    yield ""
    yield "Mean quality in points of 100, from the cost of the cheapest useful model to that of the"
    yield "best. AIQ: over equal steps of cost; AIQlog: of log cost; then at three places on log"
    yield "cost. Last: the cost of the best single model's quality less half a point, as a share of"
    yield "that model's cost. All policies are chosen on the calibration share."
    head = ("policy", "AIQ", "AIQlog", "at 1/3", "at 1/2", "at 2/3", "cost", "  ")
    rows = [
        (
            name,
            *(f"{100 * of[key]:.2f}" for key in ("aiq", "aiqlog", *PLACES)),
            f"{of['cost']:.2f}",
            meaning,
        )
        for name, meaning in POLICIES.items()
        if (of := quality.policies.get(name))
    ]
    yield from _explained(head, rows)


def _ladder(quality: Quality) -> Iterator[str]:
    yield ""
    yield "Plain ladder, nothing selected: points of 100 above the static hull over log cost when,"
    yield "between two neighbours of the hull, a growing share goes to the stronger in the order of"
    rows = [(name, f"{quality.ladder[name]:+.2f}", what) for name, what in ORDERS.items()]
    yield from _explained(("order", "points", ""), rows)


def _pair(pair: PairFigures) -> Iterator[str]:
    yield ""
    yield f"Pair: {100 * pair.weak:.2f} for the weak, {100 * pair.strong:.2f} for the strong model"
    yield f"on {pair.n:,} prompts, ordered by predicted gain, ten quantiles as RouteLLM does"
    rows = [
        ("APGR", f"{pair.apgr:.3f}", "share of the lead recovered, over all shares (chance: 0.5)"),
        ("CPT(50%)", f"{pair.cpt50:.1f} %", "calls to the strong model for half of its lead"),
        ("CPT(80%)", f"{pair.cpt80:.1f} %", "calls to the strong model for four fifths of it"),
    ]
    yield from _explained(("figure", "value", ""), rows)


def _typing(typing: Typing) -> Iterator[str]:
    yield ""
    yield f"Tasks of {typing.n:,} labelled texts ({typing.skipped:,} labels not in the map):"
    yield f"  accuracy {100 * typing.accuracy:.1f} %, expected calibration error {typing.ece:.3f}"
    yield "  confusion, per cent of each label (rows) by predicted task (columns):"
    total = typing.confusion.sum(axis=1)
    rows = [
        (name, f"{count}", *(f"{100 * cell / count:.0f}" for cell in row))
        for name, count, row in zip(typing.classes, total, typing.confusion, strict=True)
        if count
    ]
    yield from table(("label", "n", *(name[:WIDEST] for name in typing.classes)), rows)


def _explained(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Align as a table whose last column is a remark."""
    figures = table(head[:-1], [row[:-1] for row in rows])
    for line, remark in zip(figures, (head[-1], *(row[-1] for row in rows)), strict=True):
        yield f"{line}  {remark}".rstrip()
