"""The learned heads: what a text's features say of its task, its difficulty, its answer's length.

The artefact is three files: weights.npy, int8, one row per bucket of hashed n-grams and one column
per output; words.npy, float16, one row per number that words.py reads and one column per task; and
heads.json, which holds the columns' scales, the weights of the other features and what calibrates
them. training/ makes them; MODEL_CARD.md says from what.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from routing.engine.features import Features
from routing.engine.hashing import BUCKETS, Grams
from routing.engine.tasks import TASKS
from routing.engine.words import WORDS, projected, weighted

FOLDER = Path(__file__).with_name("artefact")

Floats = NDArray[np.float32]

# Outputs: a score per task, then difficulty and the logarithm of the answer's tokens.
OUTPUTS = len(TASKS) + 2

# As many as a kind of gram can have.
_ONES = np.ones(BUCKETS, dtype=np.float32)


class Heads(NamedTuple):
    """Shapes: hashed (2 * BUCKETS, OUTPUTS) int8; scale, bias (OUTPUTS,); dense (DENSE, OUTPUTS).

    words: what each known word says of each task, of words.projected(); nothing of the other two.
    temperature divides the scores of tasks before a softmax.
    """

    hashed: NDArray[np.int8]
    scale: Floats
    dense: Floats
    words: Floats
    bias: Floats
    temperature: float


class Reading(NamedTuple):
    """What the heads say of one text: scores (len(TASKS),), already divided by the temperature.

    difficulty is in logits, + harder, 0 typical; log_tokens the natural logarithm of the tokens
    of an average model's answer.
    """

    scores: Floats
    difficulty: float
    log_tokens: float


def load(folder: Path) -> Heads:
    """Read the artefact. Raises ValueError where it is of other outputs than this code's."""
    about = json.loads((folder / "heads.json").read_text(encoding="utf-8"))
    if about["tasks"] != list(TASKS):
        raise ValueError(f"{folder} was made for the tasks {about['tasks']}; {TASKS} are accepted.")
    return Heads(
        hashed=_weights(folder / "weights.npy", np.int8, (2 * BUCKETS, OUTPUTS)),
        scale=np.array(about["scale"], dtype=np.float32),
        dense=np.array(about["dense"], dtype=np.float32),
        words=projected(
            _weights(folder / "words.npy", np.float16, (WORDS, len(TASKS))).astype(np.float32)
        ),
        bias=np.array(about["bias"], dtype=np.float32),
        temperature=float(about["temperature"]),
    )


def _weights(path: Path, kind: type, shape: tuple[int, int]) -> NDArray[Any]:
    found: NDArray[Any] = np.load(path, allow_pickle=False)
    if found.shape != shape or found.dtype != kind:
        raise ValueError(
            f"{path.name} is {found.dtype} {found.shape}; {np.dtype(kind)} {shape} is accepted."
        )
    return found


def read_heads(features: Features, heads: Heads) -> Reading:
    """Apply the heads to a text's features.

    Sums of int8 are exact in float32, so that the result does not depend on the processor's order.
    """
    grams = features.grams
    hashed = _means(heads.hashed, grams)
    outputs = hashed * heads.scale + features.dense.dot(heads.dense) + heads.bias
    scores: Floats = outputs[: len(TASKS)] + weighted(features.words, heads.words)
    scores /= heads.temperature
    return Reading(scores, float(outputs[-2]), float(outputs[-1]))


def _means(weights: NDArray[np.int8], grams: Grams) -> Floats:
    """Return, for each kind of gram, its rows' sum over the root of their number, added up."""
    gathered = weights.take(grams.rows, axis=0).astype(np.float32)
    characters, words, edges = grams.sizes
    first_edge = characters + words
    total: Floats = _ONES[:characters].dot(gathered[:characters]) * max(characters, 1) ** -0.5
    total += _ONES[:words].dot(gathered[characters:first_edge]) * max(words, 1) ** -0.5
    total += _ONES[:edges].dot(gathered[first_edge:]) * max(edges, 1) ** -0.5
    return total


HEADS = load(FOLDER)
