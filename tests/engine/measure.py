"""Prints tables of the engine's README and FIGURES: python -m tests.engine.measure [NAME ...]

Names: prices dial picks stability steering hardness cpu; all but prices if none is named. Spend and
quality are this engine's own predictions over tests/engine/prompts.py, at the prices of
candidates.py. CPU is this process's own time, not the clock's, but a busy machine still slows it
by what it takes of caches: the lowest of several rounds is shown.
"""

import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from random import Random
from statistics import correlation, fmean, median

from routing.engine import VERSION, selection
from routing.engine.analysis import analyse, forget
from routing.engine.conversation import read
from routing.engine.predictor import Predictions, predict
from routing.engine.selection import CHEAPEST, Ranked, rank
from routing.engine.tasks import TASKS
from routing.engine.training.written import read_written
from tests.engine.attacks import ATTACKS, IDLE
from tests.engine.candidates import POOL, analyse_text, rank_text
from tests.engine.prompts import PROMPTS

DIAL = range(11)
SHOWN = (0, 3, 5, 7, 10)
DEFAULT = selection.DEFAULT_TRADEOFF
ALWAYS = (
    "google/gemini-3.1-pro-preview",
    "openai/gpt-5.2",
    "moonshotai/kimi-k2.5",
    "openai/gpt-5-mini",
    "mistralai/mistral-medium-3.1",
    "anthropic/claude-sonnet-4.6",
)
NAMES = (
    *("greeting", "unit-conversion", "capital-es", "translation-zh", "sentiment", "summary"),
    *("email-rewrite", "haiku", "poem-de", "roleplay", "one-liner", "sql", "traceback"),
    *("race-condition", "lock-free", "gsm", "hard-proof", "proof-ru", "logic-puzzle"),
    *("medicine", "japanese", "distributed", "trip", "decision"),
)
TEXTS = {prompt.name: prompt.text for prompt in PROMPTS}

TYPOS = 10
DRESSED: tuple[Callable[[str], str], ...] = (
    str.upper,
    str.lower,
    lambda text: text.replace(" ", "  "),
    lambda text: text.replace(" ", "\n", 1),
    lambda text: text.rstrip(".?!"),
    lambda text: f"  {text}\n\n",
)
PARAPHRASES = (
    "Could you please help me with this? {}",
    "hey, {}",
    "{} Please be brief.",
    "I have a question. {}",
    "{} Thanks in advance!",
    "Quick one: {}",
    "Please: {}",
    "{} Answer carefully.",
)

# The typical spend is divided by this at each step down to 7, and evenly from there to 10.
STEP = 1.85

DECISIONS = 300
ROUNDS = 5
MARKDOWN = (
    "# Report\n\nSome *text* with `code`:\n\n- one item\n- two\n\n```python\ndef f(x):\n"
    "    return x + 1\n```\n\nWhy does it fail when x is None? I debugged it for an hour.\n"
)

GERMAN = (
    "Erkläre mir bitte, wie eine Wärmepumpe arbeitet und warum sie im Winter weniger Strom braucht "
    "als eine Heizung mit Heizstab. Schreibe danach einen kurzen Brief an meine Vermieterin. "
)


def pools() -> list[Predictions]:
    return [predict(analyse_text(text), POOL) for text in TEXTS.values()]


def spend_lines(chosen: Sequence[Ranked], name: str) -> str:
    costs = [one.cost_usd for one in chosen]
    typical = math.exp(fmean(map(math.log, costs)))
    quality = fmean(one.quality for one in chosen)
    return f"| {name} | {fmean(costs):.6f} | {typical:.6f} | {quality:.3f} |"


def dial() -> Iterator[str]:
    predicted = pools()
    for position in DIAL:
        yield spend_lines([rank(pool, position)[0] for pool in predicted], str(position))
    for slug in ALWAYS:
        every = (one for pool in predicted for one in rank(pool, DEFAULT))
        yield spend_lines([one for one in every if one.slug == slug], slug)


def picks() -> Iterator[str]:
    for name in NAMES:
        analysis = analyse_text(TEXTS[name])
        task = max(analysis.tasks, key=analysis.tasks.__getitem__)
        slugs = [rank(predict(analysis, POOL), position)[0].slug for position in SHOWN]
        yield " | ".join([f"| {name}", task, str(analysis.complexity), *map(short, slugs)]) + " |"


def short(slug: str) -> str:
    name = slug.split("/")[1].removesuffix("-preview")
    return name.removesuffix("-3.2-24b-instruct-2506")


def kept(variants: Sequence[tuple[str, str]]) -> tuple[float, float]:
    """Return the share of (name, text) that keep the pick of the named prompt, and the spend."""
    plain = {name: rank_text(text, DEFAULT)[0] for name, text in TEXTS.items()}
    found = [(plain[name], rank_text(text, DEFAULT)[0]) for name, text in variants]
    spend = sum(other.cost_usd for _, other in found) / sum(one.cost_usd for one, _ in found)
    return fmean(one.slug == other.slug for one, other in found), spend - 1


def mistyped(text: str, random: Random) -> str:
    places = [
        at
        for at, (one, other) in enumerate(pairwise(text))
        if one.isalpha() and other.isalpha() and one != other
    ]
    at = random.choice(places)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def stability() -> Iterator[str]:
    random = Random(1)
    sets = {
        "two letters swapped": [
            (name, mistyped(text, random)) for name, text in TEXTS.items() for _ in range(TYPOS)
        ],
        "case, white space, end marks": [
            (name, dress(text)) for name, text in TEXTS.items() for dress in DRESSED
        ],
        "paraphrases": [
            (name, form.format(text)) for name, text in TEXTS.items() for form in PARAPHRASES
        ],
    }
    for name, variants in sets.items():
        yield f"{name}: the pick stays in {kept(variants)[0]:.1%} of {len(variants)}"


def steering() -> Iterator[str]:
    for name, added in (("attacks", ATTACKS), ("idle talk", IDLE)):
        variants = [(key, f"{text} {one}") for key, text in TEXTS.items() for one in added]
        share, spend = kept(variants)
        yield f"{name}: moves {1 - share:.1%} of {len(variants)}, mean spend {spend:+.0%}"


def hardness() -> Iterator[str]:
    """Compare difficulty with how hard written prompts were judged to be, which none has learnt."""
    written = [one for one in read_written() if one.language == "en"]
    said = [analyse_text(one.text).difficulty for one in written]
    judged = [one.hardness for one in written]
    lengths = [math.log(len(one.text)) for one in written]
    rows = [[at for at, one in enumerate(written) if one.task == task] for task in TASKS]
    within = [
        correlation([said[at] for at in chosen], [judged[at] for at in chosen])
        for chosen in rows
        if chosen
    ]
    yield f"difficulty with the hardness of {len(written)}: {correlation(said, judged):.2f}"
    yield f"the same within each task, mean: {fmean(within):.2f}"
    yield f"length with the hardness: {correlation(lengths, judged):.2f}"


def prices() -> Iterator[str]:
    """Find the price of money at which the typical spend is what STEP asks for."""
    predicted, in_use = pools(), selection.PRICE_OF_MONEY
    ends = [typical([rank(pool, at)[0] for pool in predicted]) for at in (0, CHEAPEST)]
    last = (ends[0] / STEP**DEFAULT / ends[1]) ** (1 / (CHEAPEST - DEFAULT))
    for position in range(1, CHEAPEST):
        wanted = ends[0] / STEP ** min(position, DEFAULT) / last ** max(position - DEFAULT, 0)
        low, high = 1.0, 1e11
        while high > 1.001 * low:
            middle = math.sqrt(low * high)
            chosen = [rank_at(pool, round(middle)) for pool in predicted]
            low, high = (middle, high) if typical(chosen) > wanted else (low, middle)
        yield f"{position}: {high:.3g}"
    selection.PRICE_OF_MONEY = in_use


def typical(chosen: Sequence[Ranked]) -> float:
    return math.exp(fmean(math.log(one.cost_usd) for one in chosen))


def rank_at(pool: Predictions, price: int) -> Ranked:
    selection.PRICE_OF_MONEY = (price,) * CHEAPEST
    return rank(pool, DEFAULT)[0]


def cpu() -> Iterator[str]:
    prose = "\n\n".join(TEXTS.values())
    others = (("Markdown with code", MARKDOWN * 400), ("German", GERMAN * 60))
    for name, source in (("prompts", prose), *others):
        for length in (400, 4000):
            middle, last = min(timed(source, length) for _ in range(ROUNDS))
            yield f"{name}, {length} characters: p50 {middle:.3f} ms, p99 {last:.3f} ms"


def timed(source: str, length: int) -> tuple[float, float]:
    """Return the median and the 99th percentile of CPU milliseconds of a decision."""
    times = []
    for at in range(DECISIONS):
        start = 37 * at % (len(source) - length)
        message = {"role": "user", "content": source[start : start + length]}
        forget()
        began = time.process_time()
        rank(predict(analyse(read([message])), POOL), DEFAULT)
        times.append(1000 * (time.process_time() - began))
    return median(times), sorted(times)[int(0.99 * DECISIONS)]


_ALL = (prices, dial, picks, stability, steering, hardness, cpu)
SECTIONS = {one.__name__: one for one in _ALL}

if __name__ == "__main__":
    print(VERSION)
    for section in sys.argv[1:] or list(SECTIONS)[1:]:
        print(f"\n{section}", *SECTIONS[section](), sep="\n")
