"""The axis of difficulty: logits of success, and the five levels of complexity on it."""

# From one level of LiveCodeBench to the next, 20 models lose 2.4 and then 1.8 logits; with its
# three levels taken as 2, 3.3 and 4.6, that is 1.6 logits a point. It has no trifles: below 2 the
# slope doubles, so that a model of 2024 gets a greeting right 98 times in 100.
LOGITS_PER_POINT = 1.6
TYPICAL_COMPLEXITY = 2.8
TRIFLE_COMPLEXITY = 2.0

# Tokens of an average model, reasoning included: LLMRouterBench's 13 models spend a geometric mean
# of 300 on SimpleQA (2 here), 1,600 on MMLU-Pro (3), 3,200 on GPQA (4), 6,200 on AIME (5).
TOKENS_AT_ONE = 100.0
TOKENS_PER_POINT = 2.9


def difficulty_of(complexity: float) -> float:
    """Return the logits that a complexity of 1 to 5 takes off everyone's success."""
    trifling = min(complexity - TRIFLE_COMPLEXITY, 0.0)
    return LOGITS_PER_POINT * (complexity - TYPICAL_COMPLEXITY + trifling)


def complexity_of(difficulty: float) -> float:
    """Return the complexity, 1 to 5, of a difficulty: the inverse of difficulty_of."""
    points = difficulty / LOGITS_PER_POINT + TYPICAL_COMPLEXITY
    if points < TRIFLE_COMPLEXITY:
        points = (points + TRIFLE_COMPLEXITY) / 2
    return min(max(points, 1.0), 5.0)
