"""CPU time of one decision, by length of the prompt."""

from collections.abc import Sequence
from time import process_time_ns
from typing import NamedTuple

import numpy as np

from routing.engine.analysis import forget
from routing.engine.conversation import read
from routing.engine.evaluation.trial import Analyse
from routing.engine.predictor import Candidate, predict
from routing.engine.selection import DEFAULT_TRADEOFF, rank

# A short and a long prompt, in characters.
LENGTHS = (400, 4000)

# As many as the catalogue that comes with the product has.
CANDIDATES = 30

RUNS = 500
WARM_UP = 50


class CpuTime(NamedTuple):
    """Milliseconds of CPU per decision, of all threads: the median and the 99th percentile."""

    p50: float
    p99: float


def cpu_times(texts: Sequence[str], analyse: Analyse) -> dict[str, CpuTime]:
    """Time read, analyse, predict and rank over CANDIDATES models, by characters of the prompt.

    Prompts are cut from the texts laid end to end, each different from the one before.
    """
    pool = [Candidate(f"model/{at}", 1e-7 * (at + 1), 5e-7 * (at + 1)) for at in range(CANDIDATES)]
    return {str(length): _time(_cut(texts, length), analyse, pool) for length in LENGTHS}


def _time(texts: Sequence[str], analyse: Analyse, pool: Sequence[Candidate]) -> CpuTime:
    taken = []
    for text in texts:
        forget()
        start = process_time_ns()
        analysis = analyse(read([{"role": "user", "content": text}]))
        rank(predict(analysis, pool), DEFAULT_TRADEOFF)
        taken.append((process_time_ns() - start) / 1e6)
    p50, p99 = np.quantile(taken[WARM_UP:], [0.5, 0.99]).tolist()
    return CpuTime(p50, p99)


def _cut(texts: Sequence[str], length: int) -> list[str]:
    """Return RUNS + WARM_UP texts of this length, starting over where the texts are used up."""
    wanted = length * (RUNS + WARM_UP)
    parts: list[str] = []
    size = at = 0
    while size < wanted:
        parts.append(texts[at % len(texts)] or " ")
        size += len(parts[-1]) + 1
        at += 1
    joined = "\n".join(parts)
    return [joined[start : start + length] for start in range(0, wanted, length)]
