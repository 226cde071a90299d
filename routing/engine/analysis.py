"""What a conversation asks for: its task, how hard it is, how long the answer will be."""

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from math import exp, log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from routing.engine.axis import (
    TOKENS_AT_ONE,
    TOKENS_PER_POINT,
    complexity_of,
    difficulty_of,
)
from routing.engine.conversation import Conversation, is_housekeeping
from routing.engine.features import UNDETERMINED, read_features
from routing.engine.heads import HEADS, Heads, Reading, read_heads
from routing.engine.tasks import GROUP_OF, TASKS

# What else than the last turn says of its task; after a short one ("and faster?") it says more.
EARLIER_WEIGHT = 0.2
EARLIER_WEIGHT_SHORT = 0.5
SYSTEM_WEIGHT = 0.3

# How much of an earlier turn's difficulty a short one that goes on from it takes over.
EARLIER_DIFFICULTY = 0.8
SHORT_TURN_WORDS = 12

# What the request itself says, in log-odds. Pictures settle it; without one nobody asks of one.
TOOLS_LOG_ODDS = 2.0
FORMAT_LOG_ODDS = 1.0
VISION_LOG_ODDS = 8.0
NO_VISION_LOG_ODDS = -4.0

# Trifles by what they are; the heads draw them to the mean.
SMALLTALK, CONVERSION = "chat:smalltalk", "math:conversion"

# Nothing said at all is small talk.
SILENCE = Reading(
    np.array([4.0 * (task == SMALLTALK) for task in TASKS], dtype=np.float32),
    difficulty_of(1.0),
    4.0,
)

# A title or some tags: the weakest model rounds to 1.00, so that price alone decides.
HOUSEKEEPING_DIFFICULTY = -6.0

# What the heads may say. Graded data sets lie within 2 logits and prompts within another one or
# two of them: a higher guess has nothing behind it, and above this even the best models of today
# are predicted to fail more often than not, so that none would be worth its price.
EASIEST, HARDEST = difficulty_of(1.0), difficulty_of(4.5)

# Answers that are short whatever the task's hardness: of ours, only the judgement is the source.
LENGTH_OF_GROUP = {
    "extraction": 0.4,
    "summarization": 0.5,
    "chat": 0.6,
    "roleplay": 0.7,
    "agent": 0.6,
    "translation": 0.6,
}
HOUSEKEEPING_TOKENS = 30.0
# The answer to a problem of complexity 4.5 (axis.py); the linear head knows no end.
MOST_LOG_TOKENS = log(TOKENS_AT_ONE * TOKENS_PER_POINT**3.5)

# Texts whose reading is kept: a conversation sends its earlier turns again with each turn, and an
# application its system prompt with each request. The longest is 4,000 characters.
TEXTS = 512

Floats = NDArray[np.float32]


def _on(*tasks: str) -> Floats:
    """Return 1 for each of some tasks and 0 for the others, (len(TASKS),)."""
    return np.array([float(task in tasks) for task in TASKS], dtype=np.float32)


_VISION = VISION_LOG_ODDS * _on("vision:question", "vision:document")
_NO_VISION = NO_VISION_LOG_ODDS * _on("vision:question", "vision:document")
_TOOLS = TOOLS_LOG_ODDS * _on("agent:tools")
_FORMAT = FORMAT_LOG_ODDS * _on("extraction:fields")
_LENGTHS = np.array([LENGTH_OF_GROUP.get(GROUP_OF[task], 1.0) for task in TASKS])


class Heard(NamedTuple):
    """What is kept of one text: its number of words, its language, what the heads say of it."""

    words: int
    language: str
    reading: Reading


class Analysis(NamedTuple):
    """What the predictor needs to know of a request.

    tasks: posterior over TASKS, sums to 1. difficulty: logits, 0 typical, + harder.
    complexity: 1 (a greeting) to 5 (a research problem). prompt_tokens, output_tokens: estimates,
    the latter for an average model, reasoning included. language: ISO 639-1, or "und".
    capabilities: what a model must support, such as tools or image_input.
    """

    tasks: Mapping[str, float]
    difficulty: float
    complexity: int
    prompt_tokens: int
    output_tokens: float
    max_output_tokens: int | None
    language: str
    capabilities: frozenset[str]
    housekeeping: bool


def analyse(conversation: Conversation, heads: Heads = HEADS) -> Analysis:
    """Estimate the task, difficulty and size of a conversation by the learned heads.

    The posterior is the softmax of the last turn's scores, to which earlier turns and the system
    prompt add with less weight, and the request's own marks (tools, pictures) in log-odds.
    Same input, same output; nothing said at all is small talk.
    Source: artefact/, made by training/; MODEL_CARD.md.
    """
    hear = _hear_again if heads is HEADS else partial(_hear, heads=heads)
    said = [hear(turn) for turn in reversed(conversation.turns)]
    readings = [one.reading for one in said] or [SILENCE]
    short = bool(said) and said[0].words < SHORT_TURN_WORDS
    of_system = hear(conversation.system).reading if conversation.system else None
    shares = _posterior(_scores(conversation, readings, of_system, short=short))
    tasks = dict(zip(TASKS, shares.tolist(), strict=True))
    housekeeping = is_housekeeping(conversation)
    trifling = tasks[SMALLTALK] + tasks[CONVERSION]
    difficulty = _difficulty(readings, trifling=trifling, short=short)
    return Analysis(
        tasks=tasks,
        difficulty=HOUSEKEEPING_DIFFICULTY if housekeeping else min(difficulty, HARDEST),
        complexity=1 if housekeeping else round(complexity_of(difficulty)),
        prompt_tokens=conversation.prompt_tokens,
        output_tokens=_output_tokens(conversation, readings[0], shares, housekeeping=housekeeping),
        max_output_tokens=conversation.max_output_tokens,
        language=said[0].language if said else UNDETERMINED,
        capabilities=_capabilities(conversation),
        housekeeping=housekeeping,
    )


def _hear(text: str, heads: Heads) -> Heard:
    features = read_features(text)
    return Heard(features.cues.words, features.cues.language, read_heads(features, heads))


@lru_cache(maxsize=TEXTS)
def _hear_again(text: str) -> Heard:
    return _hear(text, HEADS)


def forget() -> None:
    """Forget every text; who measures the time of a first reading needs it."""
    _hear_again.cache_clear()


def _scores(
    conversation: Conversation, readings: Sequence[Reading], system: Reading | None, *, short: bool
) -> Floats:
    scores = readings[0].scores
    if len(readings) > 1:
        weight = EARLIER_WEIGHT_SHORT if short else EARLIER_WEIGHT
        # "thanks!" says all there is to say, whatever came before.
        weight *= 1 - float(_posterior(scores)[TASKS.index(SMALLTALK)])
        for earlier in readings[1:]:
            scores = scores + weight * earlier.scores
            weight /= 2
    if system is not None:
        scores = scores + SYSTEM_WEIGHT * system.scores
    if conversation.tool_names:
        scores = scores + _TOOLS
    if conversation.response_format != "text":
        scores = scores + _FORMAT
    seen = conversation.attachments & {"image", "video"}
    return scores + (_VISION if seen else _NO_VISION)


def _posterior(scores: Floats) -> NDArray[np.float64]:
    powers = np.exp((scores - np.maximum.reduce(scores)).astype(np.float64))
    result: NDArray[np.float64] = powers / np.add.reduce(powers)
    return result


def _difficulty(readings: Sequence[Reading], *, trifling: float, short: bool) -> float:
    """Return logits; "and without a lock?" is as hard as what it follows, "thanks" is not."""
    difficulty = readings[0].difficulty
    if short:
        rest = EARLIER_DIFFICULTY * (1 - trifling)
        for earlier in readings[1:]:
            difficulty += rest * max(earlier.difficulty - difficulty, 0.0)
    difficulty += trifling * min(EASIEST - difficulty, 0.0)
    return max(difficulty, EASIEST)


def _output_tokens(
    conversation: Conversation,
    last: Reading,
    shares: NDArray[np.float64],
    *,
    housekeeping: bool,
) -> float:
    tokens = HOUSEKEEPING_TOKENS
    if not housekeeping:
        tokens = float(_LENGTHS.dot(shares)) * exp(min(last.log_tokens, MOST_LOG_TOKENS))
    if conversation.max_output_tokens is not None:
        return min(tokens, float(conversation.max_output_tokens))
    return tokens


def _capabilities(conversation: Conversation) -> frozenset[str]:
    needed = {f"{kind}_input" for kind in conversation.attachments}
    if conversation.tool_names:
        needed.add("tools")
    if conversation.response_format != "text":
        needed.add("response_format")
    if conversation.response_format == "json_schema":
        needed.add("structured_outputs")
    return frozenset(needed)
