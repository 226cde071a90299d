from decimal import Decimal

import pytest

from activity.templatetags.amounts import exact_usd, ms, speed, usd


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (Decimal(0), "$0.000000"),
        (Decimal("0.00123"), "$0.001230"),
        (Decimal("0.000001"), "$0.000001"),
        (Decimal("0.000000999999"), "<$0.000001"),
        (Decimal("0.000000000001"), "<$0.000001"),
        (Decimal("0.0000015"), "$0.000002"),
        (Decimal("1234.5"), "$1,234.500000"),
        (Decimal("-0.00123"), "\N{MINUS SIGN}$0.001230"),
        (0.00123, "$0.001230"),
        (None, "\N{EN DASH}"),
    ],
)
def test_usd_has_six_decimals(amount, shown):
    assert usd(amount) == shown


@pytest.mark.parametrize(
    ("amount", "least", "shown"),
    [
        (Decimal("0.000000375001"), 2, "$0.000000375001"),
        (Decimal("1.250000000000"), 2, "$1.25"),
        (Decimal(25), 2, "$25.00"),
        (Decimal("0.00894"), 6, "$0.008940"),
        (Decimal("-0.5"), 2, "\N{MINUS SIGN}$0.50"),
        (None, 2, "\N{EN DASH}"),
    ],
)
def test_exact_usd_loses_no_digit(amount, least, shown):
    assert exact_usd(amount, least) == shown


@pytest.mark.parametrize(
    ("time", "shown"), [(None, "\N{EN DASH}"), (0, "0 ms"), (1240, "1,240 ms")]
)
def test_ms(time, shown):
    assert ms(time) == shown


@pytest.mark.parametrize(
    ("tokens_per_second", "shown"),
    [
        (None, "\N{EN DASH}"),
        (3.44, "3.4 tokens/s"),
        (101.92, "102 tokens/s"),
        (14_600.0, "14,600 tokens/s"),
    ],
)
def test_speed(tokens_per_second, shown):
    assert speed(tokens_per_second) == shown
