"""Money and durations as the pages show them."""

from decimal import ROUND_HALF_UP, Decimal

from django import template
from django.contrib.humanize.templatetags.humanize import intcomma

register = template.Library()

SMALLEST = Decimal("0.000001")
MISSING = "\N{EN DASH}"


@register.filter
def usd(amount: Decimal | float | None) -> str:
    """Six decimals: $0.001230, and <$0.000001 for what is less but not nothing."""
    if amount is None:
        return MISSING
    exact = Decimal(str(amount))
    if 0 < exact < SMALLEST:
        return "<$0.000001"
    sign = "\N{MINUS SIGN}" if exact < 0 else ""
    return f"{sign}${abs(exact).quantize(SMALLEST, ROUND_HALF_UP):,f}"


@register.filter
def exact_usd(amount: Decimal | None, least: int = 2) -> str:
    """Every digit, and so many decimals at least: $1.25, $0.0000375."""
    if amount is None:
        return MISSING
    sign = "\N{MINUS SIGN}" if amount < 0 else ""
    whole, _, decimals = f"{abs(amount):,f}".partition(".")
    return f"{sign}${whole}.{decimals.rstrip('0').ljust(least, '0')}"


@register.filter
def speed(tokens_per_second: float | None) -> str:
    """A decimal only where it tells something: 3.4 tokens/s, 14,600 tokens/s."""
    if not tokens_per_second:
        return MISSING
    decimals = 1 if tokens_per_second < 10 else 0
    return f"{tokens_per_second:,.{decimals}f} tokens/s"


@register.filter
def ms(milliseconds: int | None) -> str:
    return MISSING if milliseconds is None else f"{intcomma(milliseconds)} ms"
