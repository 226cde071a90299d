from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from routing.models import Price
from tests.factories import make_endpoint

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("field", "amount", "told"),
    [
        ("prompt", "3", "a price is in USD per token"),
        ("long_completion", "15", "a price is in USD per token"),
        ("web_search", "10", "a price is in USD for one request or one search"),
    ],
)
def test_a_price_per_million_is_not_taken_for_one_per_token(
    field: str, amount: str, told: str
) -> None:
    given = {"prompt": Decimal(0), "completion": Decimal(0), field: Decimal(amount)}

    with pytest.raises(ValidationError) as refused:
        Price(endpoint=make_endpoint(), **given).full_clean()

    assert told in refused.value.message_dict[field][0]
