"""Usage x endpoint prices -> cost, exactly."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from routing.usage import Usage

T = TypeVar("T")

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Rates:
    """What an endpoint charges, in USD per token or unit; None stands for the prompt price."""

    prompt: Decimal
    completion: Decimal
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    audio: Decimal | None = None
    request: Decimal = ZERO
    web_search: Decimal = ZERO
    long_context_over: int | None = None
    long_prompt: Decimal | None = None
    long_completion: Decimal | None = None
    long_cache_read: Decimal | None = None
    long_cache_write: Decimal | None = None

    def for_prompt(self, prompt_tokens: int) -> "Rates":
        """The rates that hold for a prompt of this length; longer than the threshold is dearer."""
        return self.for_long_prompt() if self.is_long(prompt_tokens) else self

    def is_long(self, prompt_tokens: int) -> bool:
        return self.long_context_over is not None and prompt_tokens > self.long_context_over

    def for_long_prompt(self) -> "Rates":
        return Rates(
            prompt=_or(self.long_prompt, self.prompt),
            completion=_or(self.long_completion, self.completion),
            cache_read=_or(self.long_cache_read, self.cache_read),
            cache_write=_or(self.long_cache_write, self.cache_write),
            audio=self.audio,
            request=self.request,
            web_search=self.web_search,
        )

    def snapshot(self) -> dict[str, str | int]:
        """The rates as stored with a generation: strings, so that no digit is lost."""
        return {
            name: value if isinstance(value, int) else plain(value)
            for name in self.__slots__
            if (value := getattr(self, name)) is not None
        }


def plain(amount: Decimal) -> str:
    """An exact amount without exponent and trailing zeros."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def lines(usage: Usage, rates: Rates) -> list[dict[str, Any]]:
    """The arithmetic of a cost: one line per token class that occurred; they add up to it."""
    rates = rates.for_prompt(usage.prompt_tokens)
    audio = usage.audio_tokens if rates.audio is not None else 0
    uncached = usage.prompt_tokens - usage.cached_tokens - usage.cache_write_tokens
    audio = min(audio, uncached)
    classes = (
        ("prompt", uncached - audio, rates.prompt),
        ("audio", audio, _or(rates.audio, rates.prompt)),
        ("cache_read", usage.cached_tokens, _or(rates.cache_read, rates.prompt)),
        ("cache_write", usage.cache_write_tokens, _or(rates.cache_write, rates.prompt)),
        ("completion", usage.completion_tokens, rates.completion),
        ("web_search", usage.web_searches, rates.web_search),
        ("request", 1, rates.request),
    )
    return [
        {
            "class": name,
            "quantity": quantity,
            "price": plain(price),
            "cost": plain(quantity * price),
        }
        for name, quantity, price in classes
        if quantity and (price or name != "request")
    ]


def total(cost_lines: list[dict[str, Any]]) -> Decimal:
    return sum((Decimal(line["cost"]) for line in cost_lines), ZERO)


def insured(cost_lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same lines and one that takes them back: an empty or failed answer costs nothing."""
    amount = total(cost_lines)
    if not amount:
        return cost_lines
    taken_back = {"class": "insurance", "quantity": 1, "price": plain(-amount)}
    return [*cost_lines, {**taken_back, "cost": plain(-amount)}]


def dearest(prompt_tokens: int, rates: Rates) -> tuple[Decimal, Decimal]:
    """The most that a token in and one out can cost, of a prompt of so many tokens or fewer."""
    tiers = [rates, rates.for_long_prompt()] if rates.is_long(prompt_tokens) else [rates]
    inward = (price for tier in tiers for price in _inward(tier))
    return max(inward), max(tier.completion for tier in tiers)


def _inward(rates: Rates) -> list[Decimal]:
    other = (rates.cache_read, rates.cache_write, rates.audio)
    return [rates.prompt, *(price for price in other if price is not None)]


def highest(prompt_tokens: int, completion_tokens: int, rates: Rates) -> Decimal:
    """The most that so many tokens can cost, whatever share of them is cached or written."""
    inward, outward = dearest(prompt_tokens, rates)
    return prompt_tokens * inward + completion_tokens * outward + rates.request


def _or(rate: Decimal | None, otherwise: T) -> Decimal | T:
    return otherwise if rate is None else rate
