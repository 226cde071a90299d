"""The seed's 30 models with the prices of March 2026, and short ways from a text to a choice."""

from collections.abc import Sequence

from routing.engine.analysis import Analysis, analyse
from routing.engine.conversation import read
from routing.engine.predictor import Candidate, predict
from routing.engine.selection import DEFAULT_TRADEOFF, Ranked, rank

# slug, USD per million tokens in and out, USD per request (sonar pays for a search each time).
PRICES = (
    ("anthropic/claude-haiku-4.5", 1.0, 5.0, 0.0),
    ("anthropic/claude-opus-4.6", 5.0, 25.0, 0.0),
    ("anthropic/claude-sonnet-4.5", 3.0, 15.0, 0.0),
    ("anthropic/claude-sonnet-4.6", 3.0, 15.0, 0.0),
    ("deepseek/deepseek-r1", 0.7, 2.5, 0.0),
    ("google/gemini-2.5-flash-lite", 0.1, 0.4, 0.0),
    ("google/gemini-3-flash-preview", 0.5, 3.0, 0.0),
    ("google/gemini-3-pro-preview", 2.0, 12.0, 0.0),
    ("google/gemini-3.1-pro-preview", 2.0, 12.0, 0.0),
    ("meta-llama/llama-3.3-70b-instruct", 0.1, 0.32, 0.0),
    ("minimax/minimax-m2.5", 0.27, 0.95, 0.0),
    ("mistralai/codestral-2508", 0.3, 0.9, 0.0),
    ("mistralai/mistral-large", 2.0, 6.0, 0.0),
    ("mistralai/mistral-medium-3.1", 0.4, 2.0, 0.0),
    ("mistralai/mistral-small-3.2-24b-instruct-2506", 0.06, 0.18, 0.0),
    ("moonshotai/kimi-k2-thinking", 0.47, 2.0, 0.0),
    ("moonshotai/kimi-k2.5", 0.45, 2.2, 0.0),
    ("openai/gpt-5", 1.25, 10.0, 0.0),
    ("openai/gpt-5-mini", 0.25, 2.0, 0.0),
    ("openai/gpt-5-nano", 0.05, 0.4, 0.0),
    ("openai/gpt-5.1", 1.25, 10.0, 0.0),
    ("openai/gpt-5.2", 1.75, 14.0, 0.0),
    ("openai/gpt-5.2-pro", 21.0, 168.0, 0.0),
    ("openai/gpt-oss-120b", 0.039, 0.19, 0.0),
    ("perplexity/sonar", 1.0, 1.0, 0.005),
    ("qwen/qwen3-235b-a22b", 0.455, 1.82, 0.0),
    ("x-ai/grok-3", 3.0, 15.0, 0.0),
    ("x-ai/grok-3-mini", 0.3, 0.5, 0.0),
    ("x-ai/grok-4", 3.0, 15.0, 0.0),
    ("z-ai/glm-5", 0.72, 2.3, 0.0),
)

POOL = tuple(
    Candidate(slug, prompt / 1e6, completion / 1e6, request)
    for slug, prompt, completion, request in PRICES
)

# By their ability table: what a hard task must not get, and by price what a trifle must not get.
WEAKEST = frozenset(
    {
        "meta-llama/llama-3.3-70b-instruct",
        "mistralai/mistral-large",
        "mistralai/mistral-small-3.2-24b-instruct-2506",
        "google/gemini-2.5-flash-lite",
        "openai/gpt-5-nano",
        "openai/gpt-oss-120b",
    }
)
TOP_PRICE = frozenset(slug for slug, _, completion, _ in PRICES if completion >= 10)


def analyse_text(text: str) -> Analysis:
    return analyse(read([{"role": "user", "content": text}]))


def rank_text(text: str, tradeoff: int, pool: Sequence[Candidate] = POOL) -> list[Ranked]:
    return rank(predict(analyse_text(text), pool), tradeoff)


def expect(analysis: Analysis, pool: Sequence[Candidate] = POOL) -> list[Ranked]:
    """What is predicted of each candidate, in the order given; no two of one slug."""
    found = {one.slug: one for one in rank(predict(analysis, pool), DEFAULT_TRADEOFF)}
    return [found[one.slug] for one in pool]


def pick(text: str, tradeoff: int, pool: Sequence[Candidate] = POOL) -> str:
    return rank_text(text, tradeoff, pool)[0].slug
