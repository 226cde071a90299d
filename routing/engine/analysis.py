"""What a conversation asks for: its task, how hard it is, how long the answer will be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log2

from routing.engine.conversation import Conversation, is_housekeeping, read
from routing.engine.cues import TASKS
from routing.engine.features import UNDETERMINED, Cues, read_cues

__all__ = ["TASKS", "Analysis", "Conversation", "analyse", "read"]

# Log-odds before any cue: most of what people type is chat or a question, and some tasks announce
# themselves, so that their absence says something. Judged; there is no traffic yet to count.
PRIOR = {
    "chat": 0.5,
    "knowledge": 0.5,
    "code:debugging": -1.0,
    "roleplay": -1.0,
    "agent": -1.0,
    "extraction": -0.5,
    "summarization": -0.5,
    "translation": -1.0,
    "vision": -4.0,
}

# Cues overlap ("def" and "python" say the same twice): past this their sum says nothing more.
MAX_LOG_ODDS = 6.0

# What else than the last turn says of its task; after a short one ("and faster?") it says more.
EARLIER_WEIGHT = 0.3
EARLIER_WEIGHT_SHORT = 0.8
SYSTEM_WEIGHT = 0.3
SHORT_TURN_WORDS = 12

# A greeting at the head of a long request is politeness: chat counts in full up to this length.
CHAT_WORDS = 12

# What the request itself says, in log-odds like the cues.
TOOLS_LOG_ODDS = 2.0
FORMAT_LOG_ODDS = 1.0
VISION_LOG_ODDS = 8.0

# Complexity by length alone, as log2 of words: one word 1.0, ten 1.7, a hundred 2.3.
COMPLEXITY_PER_DOUBLING = 0.2

# The most that hard cues add, and the sum of them that adds about two thirds of it.
MAX_HARDNESS = 2.8
HARDNESS_SCALE = 3.0

# From one level of LiveCodeBench to the next, 20 models lose 2.4 and then 1.8 logits; with its
# three levels taken as 2, 3.3 and 4.6, that is 1.6 logits a point. It has no trifles: below 2 the
# slope doubles, so that a model of 2024 gets a greeting right 98 times in 100.
LOGITS_PER_POINT = 1.6
TYPICAL_COMPLEXITY = 2.8
TRIFLE_COMPLEXITY = 2.0

# A title or some tags: the weakest model rounds to 1.00, so that price alone decides.
HOUSEKEEPING_DIFFICULTY = -6.0

# Tokens of an average model, reasoning included: LLMRouterBench's 13 models spend a geometric mean
# of 300 on SimpleQA (2 here), 1,600 on MMLU-Pro (3), 3,200 on GPQA (4), 6,200 on AIME (5).
TOKENS_AT_ONE = 100.0
TOKENS_PER_POINT = 2.9

# Answers that are short whatever the task's hardness: of ours, only the judgement is the source.
LENGTH_OF_TASK = {
    "extraction": 0.4,
    "summarization": 0.5,
    "chat": 0.6,
    "roleplay": 0.7,
    "agent": 0.6,
    "translation": 0.6,
}
HOUSEKEEPING_TOKENS = 30.0


@dataclass(frozen=True, slots=True)
class Analysis:
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


def analyse(conversation: Conversation) -> Analysis:
    """Estimate the task, difficulty and size of a conversation from rules.

    The posterior is softmax(prior + cues), capped: never certain, so that one misread word moves
    the choice by little. Difficulty is the complexity on the scale of logits.
    Same input, same output; no text at all is a typical chat.
    """
    said = [read_cues(turn) for turn in reversed(conversation.turns)]
    last = said[0] if said else Cues([0.0] * len(TASKS), 0.0, 0, UNDETERMINED)
    tasks = _posterior(_log_odds(conversation, last, said[1:]))
    housekeeping = is_housekeeping(conversation)
    complexity = 1.0 if housekeeping else _complexity(last, said[1:])
    return Analysis(
        tasks=tasks,
        difficulty=HOUSEKEEPING_DIFFICULTY if housekeeping else _difficulty(complexity),
        complexity=round(complexity),
        prompt_tokens=conversation.prompt_tokens,
        output_tokens=_output_tokens(conversation, tasks, complexity, housekeeping=housekeeping),
        max_output_tokens=conversation.max_output_tokens,
        language=last.language,
        capabilities=_capabilities(conversation),
        housekeeping=housekeeping,
    )


def _log_odds(conversation: Conversation, last: Cues, earlier: Sequence[Cues]) -> list[float]:
    odds = [PRIOR.get(task, 0.0) + own for task, own in zip(TASKS, last.tasks, strict=True)]
    weight = EARLIER_WEIGHT_SHORT if last.words < SHORT_TURN_WORDS else EARLIER_WEIGHT
    for cues in earlier:
        odds = [sum_ + weight * own for sum_, own in zip(odds, cues.tasks, strict=True)]
        weight /= 2
    if conversation.system:
        system = read_cues(conversation.system).tasks
        odds = [sum_ + SYSTEM_WEIGHT * own for sum_, own in zip(odds, system, strict=True)]
    chat = TASKS.index("chat")
    odds[chat] = min(odds[chat], MAX_LOG_ODDS) * min(1.0, CHAT_WORDS / max(last.words, 1))
    odds[TASKS.index("agent")] += TOOLS_LOG_ODDS * bool(conversation.tool_names)
    odds[TASKS.index("extraction")] += FORMAT_LOG_ODDS * (conversation.response_format != "text")
    odds[TASKS.index("vision")] += VISION_LOG_ODDS * bool(
        conversation.attachments & {"image", "video"}
    )
    return odds


def _posterior(log_odds: Sequence[float]) -> dict[str, float]:
    weights = [exp(min(odds, MAX_LOG_ODDS)) for odds in log_odds]
    total = sum(weights)
    return {task: weight / total for task, weight in zip(TASKS, weights, strict=True)}


def _complexity(last: Cues, earlier: Sequence[Cues]) -> float:
    """Return 1-5: length raises it slowly, hard cues quickly and then less and less."""
    hardness = last.hardness
    # "and without a lock?" is as hard as what it follows; "thanks" is not.
    if last.words < SHORT_TURN_WORDS and hardness >= 0:
        hardness = max([hardness, *(EARLIER_WEIGHT_SHORT * cues.hardness for cues in earlier)])
    by_length = 1 + COMPLEXITY_PER_DOUBLING * log2(max(last.words, 1))
    by_cues = MAX_HARDNESS * (1 - exp(-max(hardness, 0.0) / HARDNESS_SCALE)) + min(hardness, 0.0)
    return min(max(by_length + by_cues, 1.0), 5.0)


def _difficulty(complexity: float) -> float:
    trifling = min(complexity - TRIFLE_COMPLEXITY, 0.0)
    return LOGITS_PER_POINT * (complexity - TYPICAL_COMPLEXITY + trifling)


def _output_tokens(
    conversation: Conversation,
    tasks: Mapping[str, float],
    complexity: float,
    *,
    housekeeping: bool,
) -> float:
    tokens = HOUSEKEEPING_TOKENS
    if not housekeeping:
        length = sum(share * LENGTH_OF_TASK.get(task, 1.0) for task, share in tasks.items())
        tokens = length * TOKENS_AT_ONE * TOKENS_PER_POINT ** (complexity - 1)
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
