"""Writes the artefact: rounded weights, their scales, and what the run-time needs beside them."""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from routing.engine import heads, words
from routing.engine.tasks import TASKS
from routing.engine.training.fitting import Heads

# The largest weight of a column is one in 65,536; clipping the last few halves the rounding error
# of all others.
CLIPPED_SHARE = 0.9999
LARGEST = 127

# Decimals of the weights in heads.json: finer than the rounding of the others.
DECIMALS = 5

Floats = NDArray[np.float32]


class Quantised(NamedTuple):
    """A head's hashed weights as int8 (COLUMNS, c) and the scale of each column (c,)."""

    weights: NDArray[np.int8]
    scale: Floats


def quantise(hashed: Floats) -> Quantised:
    """Round weights to int8, each column by itself."""
    limit = np.quantile(np.abs(hashed), CLIPPED_SHARE, axis=0)
    scale = np.maximum(limit / LARGEST, np.finfo(np.float32).tiny).astype(np.float32)
    weights = np.clip(np.rint(hashed / scale), -LARGEST, LARGEST).astype(np.int8)
    return Quantised(weights, np.round(scale, 9))


def heads_of(tasks: Heads, numbers: Heads, temperature: float) -> heads.Heads:
    """Return the heads as they are after writing and reading, but for the rounding of the dense."""
    hashed = quantise(np.concatenate([tasks.hashed, numbers.hashed], axis=1))
    return heads.Heads(
        hashed=hashed.weights,
        scale=hashed.scale,
        dense=np.concatenate([tasks.dense, numbers.dense], axis=1),
        words=words.projected(tasks.words.astype(np.float16).astype(np.float32)),
        bias=np.concatenate([tasks.bias, numbers.bias]),
        temperature=temperature,
    )


def write(folder: Path, tasks: Heads, numbers: Heads, temperature: float) -> str:
    """Write weights.npy, words.npy and heads.json and return the artefact's version.

    The version ends in a digest of all and of the words' vectors, so that two artefacts never share
    one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    hashed = quantise(np.concatenate([tasks.hashed, numbers.hashed], axis=1))
    about = {
        "tasks": list(TASKS),
        "temperature": round(temperature, 3),
        "scale": hashed.scale.astype(float).tolist(),
        "bias": _rounded(np.concatenate([tasks.bias, numbers.bias])),
        "dense": _rounded(np.concatenate([tasks.dense, numbers.dense], axis=1)),
    }
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    digest.update(hashed.weights.tobytes())
    digest.update(tasks.words.astype(np.float16).tobytes())
    digest.update(words.FILE.read_bytes())
    version = f"learned-1-{digest.hexdigest()[:8]}"
    np.save(folder / "weights.npy", hashed.weights, allow_pickle=False)
    np.save(folder / "words.npy", tasks.words.astype(np.float16), allow_pickle=False)
    text = json.dumps({"version": version, **about}, indent=1)
    (folder / "heads.json").write_text(text + "\n", encoding="utf-8")
    return version


def _rounded(weights: Floats) -> list[float]:
    result: list[float] = np.round(weights.astype(np.float64), DECIMALS).tolist()
    return result
