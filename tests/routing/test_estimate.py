import asyncio
from decimal import Decimal
from typing import Any

import pytest

from activity.ledger import BudgetExceeded
from activity.models import Generation, Spend
from routing import estimate
from routing.errors import KeyLimitExceeded, OutOfCredit
from routing.models import Credit
from tests.conftest import Api, FakeProvider, in_db
from tests.factories import make_secret
from tests.routing.stories import message_of, offer, row_of
from tests.routing.values import make_completion, make_offer, make_rates

# A Hello costs 0.00002 USD of these; 1000 tokens are asked for in each request.
ASKED = {"model": "openrouter/auto", "messages": [{"role": "user", "content": "Hello"}]}
LIMITED = ASKED | {"max_tokens": 1000}


def bound_of(*parts: dict[str, Any], **fields: Any) -> int:
    content = [{"type": "text", "text": "Hello"}, *parts]
    return estimate.prompt_bound(
        make_completion(messages=[{"role": "user", "content": content}], **fields)
    )


def test_no_text_has_more_tokens_than_bytes() -> None:
    completion = make_completion(messages=[{"role": "user", "content": "日本語" * 1000}])

    assert estimate.prompt_bound(completion) >= 9000


def test_an_attachment_is_bounded_by_what_it_can_become() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 40_000}}
    paper = {"type": "file", "file": {"file_data": "data:;base64," + "A" * 40_000}}
    movie = {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}}

    plain = bound_of()

    assert 4000 < bound_of(image) - plain < 5000
    assert 40_000 < bound_of(paper) - plain < 50_000
    assert bound_of(movie) - plain > 1_000_000


def test_a_refusal_that_was_given_is_no_address() -> None:
    refusal = {"type": "refusal", "refusal": "Sorry: I cannot help with that."}
    said = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": [refusal]}]

    assert estimate.prompt_bound(make_completion(messages=said)) < 1000


def test_a_budget_covers_the_dearest_endpoint_that_may_be_tried() -> None:
    cheap, dear = make_offer(), make_offer(rates=make_rates("0.00001", "0.00002"))

    budget = estimate.budget(400, 50, [cheap, dear])

    assert budget.estimate == 400 * Decimal("0.00001") + 50 * Decimal("0.00002")
    assert budget.minimum == budget.ample == budget.estimate


def test_without_max_tokens_a_short_answer_must_be_affordable() -> None:
    budget = estimate.budget(400, None, [make_offer()])

    assert budget.estimate == 400 * Decimal("0.000001") + 10_000 * Decimal("0.000002")
    assert budget.ample == 400 * Decimal("0.000001") + 8192 * Decimal("0.000002")
    assert budget.minimum == 400 * Decimal("0.000001") + 256 * Decimal("0.000002")


@pytest.mark.parametrize(
    ("max_tokens", "granted", "sent"),
    [
        (500, None, 500),
        (50_000, None, 10_000),
        (500, Decimal("0.0001"), 500),
        (None, None, None),
        (None, Decimal(1), 10_000),
        (None, Decimal("0.0024"), 1000),
        (None, Decimal("0.0004"), 1),
    ],
)
def test_the_answer_is_as_long_as_asked_for_and_paid_for(
    max_tokens: int | None, granted: Decimal | None, sent: int | None
) -> None:
    assert estimate.answer_tokens(max_tokens, granted, 400, make_offer(), 100) == sent


@pytest.mark.parametrize(
    ("max_tokens", "granted", "prompt_tokens", "sent"),
    [
        (96_900, None, 3_000, 96_900),
        (300_000, None, 3_000, 95_000),
        (100_000, None, 3_000, 95_000),
        (100_000, None, 90_000, 5_000),
        (100_000, None, 99_999, 1),
        (None, Decimal(10), 3_000, 95_000),
        (None, None, 3_000, None),
    ],
)
def test_an_answer_leaves_room_for_its_prompt(
    max_tokens: int | None, granted: Decimal | None, prompt_tokens: int, sent: int | None
) -> None:
    talker = make_offer(max_output_tokens=None)

    found = estimate.answer_tokens(max_tokens, granted, 3_000, talker, prompt_tokens)

    assert found == sent


def test_an_answer_that_costs_nothing_is_only_capped() -> None:
    free = make_offer(rates=make_rates("0", "0"))

    assert estimate.answer_tokens(None, Decimal(0), 400, free, 100) == 10_000


@pytest.mark.parametrize(
    ("owner", "in_flight", "kind", "status"),
    [
        ("key:1", False, KeyLimitExceeded, 403),
        ("user:1", False, OutOfCredit, 402),
        ("key:1", True, OutOfCredit, 402),
        ("user:1", True, OutOfCredit, 402),
    ],
)
def test_who_cannot_pay_is_told_why(
    owner: str, in_flight: bool, kind: type[Exception], status: int
) -> None:
    refused = BudgetExceeded(owner, "monthly", Decimal("0.5"), in_flight=in_flight)

    error = estimate.refusal(refused, estimate.Budget(Decimal(2), Decimal(1), Decimal(1)))

    assert (type(error), error.status) == (kind, status)
    assert (error.retry_after is not None) is in_flight


@pytest.mark.parametrize(
    ("owner", "left", "advice"),
    [
        ("key:1", "0", "nothing is left. Raise the key's limit."),
        ("key:1", "-0.25", "nothing is left. Raise the key's limit."),
        ("user:1", "0", "nothing is left. Ask the operator for more."),
        ("key:1", "0.5", "Raise the key's limit, send a smaller max_tokens, or allow cheaper"),
        ("user:1", "0.5", "Ask the operator for more, send a smaller max_tokens, or allow cheaper"),
    ],
)
def test_who_has_nothing_left_is_told_what_would_help(owner: str, left: str, advice: str) -> None:
    refused = BudgetExceeded(owner, "monthly", Decimal(left), in_flight=False)

    error = estimate.refusal(refused, estimate.Budget(Decimal(2), Decimal(1), Decimal(1)))

    assert advice in error.message


async def limited(api: Api, **fields: Any) -> tuple[int, str]:
    key, secret = await in_db(make_secret)(**fields)
    return key.pk, secret


async def spend_of(owner: str) -> list[tuple[Decimal, Decimal]]:
    return [(row.spent, row.reserved) async for row in Spend.objects.filter(owner=owner)]


async def test_a_limited_key_reserves_and_gives_back(api: Api) -> None:
    await offer(api, {})
    key_id, secret = await limited(api, limit=Decimal("0.01"))

    response = await api.post(LIMITED, secret)

    row = await row_of(response)
    assert row.reserved > row.cost == Decimal("0.00002")
    assert set(await spend_of(f"key:{key_id}")) == {(Decimal("0.00002"), Decimal(0))}


async def test_a_failure_gives_the_reservation_back(api: Api, provider: FakeProvider) -> None:
    await offer(api, {})
    key_id, secret = await limited(api, limit=Decimal("0.01"))
    provider.reply(status=500)

    response = await api.post(LIMITED, secret)

    assert response.status_code == 502
    assert set(await spend_of(f"key:{key_id}")) == {(Decimal(0), Decimal(0))}


@pytest.mark.parametrize("limit", ["0", "0.001"])
async def test_a_key_over_its_limit_is_forbidden(
    api: Api, provider: FakeProvider, limit: str
) -> None:
    await offer(api, {})
    _, secret = await limited(api, limit=Decimal(limit), limit_reset="monthly")

    response = await api.post(LIMITED, secret)

    assert response.status_code == 403
    assert message_of(response).startswith("Key limit exceeded (monthly limit)")
    assert provider.requests == []
    assert not await Generation.objects.aexists()


async def test_a_limit_that_reservations_block_is_worth_waiting_for(api: Api) -> None:
    await offer(api, {})
    key_id, secret = await limited(api, limit=Decimal("0.01"))
    await Spend.objects.acreate(owner=f"key:{key_id}", period="total", reserved=Decimal("0.0099"))

    response = await api.post(LIMITED, secret)

    assert response.status_code == 402
    assert int(response.headers["Retry-After"]) > 0
    assert response.json()["error"]["metadata"]["limit_source"] == "in_flight_budget"


async def test_concurrent_requests_never_overspend(api: Api) -> None:
    await offer(api, {})
    key_id, secret = await limited(api, limit=Decimal("0.005"))

    responses = await asyncio.gather(*(api.post(LIMITED, secret) for _ in range(20)))

    statuses = sorted(response.status_code for response in responses)
    assert (statuses[0], statuses[-1]) == (200, 402)
    spent, reserved = (await spend_of(f"key:{key_id}"))[0]
    assert (spent, reserved) == (statuses.count(200) * Decimal("0.00002"), 0)


async def test_a_limit_leaves_room_for_requests_side_by_side(api: Api) -> None:
    # The longest answer costs 1.9 USD: reserved whole, or cut to the rest, one would run at a time.
    longest = {"context_length": 1_000_000, "max_output_tokens": 950_000}
    await offer(api, longest | {"prices": {"prompt": "0.000001", "completion": "0.000002"}})
    key_id, secret = await limited(api, limit=Decimal("0.4"))

    responses = await asyncio.gather(*(api.post(ASKED, secret) for _ in range(10)))

    assert [response.status_code for response in responses] == [200] * 10
    assert (await spend_of(f"key:{key_id}"))[0][1] == 0


async def test_without_max_tokens_the_answer_is_cut_to_what_is_left(
    api: Api, provider: FakeProvider
) -> None:
    await offer(api, {})
    _, secret = await limited(api, limit=Decimal("0.001"))

    response = await api.post(ASKED, secret)

    assert response.status_code == 200
    assert 256 <= provider.asked()[0]["max_tokens"] <= 500


async def test_a_user_over_the_credit_granted_must_pay(api: Api) -> None:
    await offer(api, {})
    await Credit.objects.acreate(user_id=api.key.user_id, amount=Decimal("0.00001"))

    response = await api.post(LIMITED)

    error = response.json()["error"]
    assert (response.status_code, error["metadata"]["limit_source"]) == (402, "user")
    assert "Retry-After" not in response.headers


async def test_credit_holds_over_all_keys_of_a_user(api: Api) -> None:
    await offer(api, {})
    await Credit.objects.acreate(user_id=api.key.user_id, amount=Decimal("0.00214"))
    owner = await in_db(lambda: api.key.user)()
    _, second = await in_db(make_secret)(owner)

    statuses = [(await api.post(LIMITED, secret)).status_code for secret in (None, second, second)]

    assert statuses == [200, 200, 402]


@pytest.mark.parametrize("reset", ["daily", "weekly", "monthly"])
async def test_what_another_period_spent_does_not_count(api: Api, reset: str) -> None:
    await offer(api, {})
    key_id, secret = await limited(api, limit=Decimal("0.01"), limit_reset=reset)
    for period in ("2020-01-01", "2020-W01", "2020-01", "total"):
        await Spend.objects.acreate(owner=f"key:{key_id}", period=period, spent=Decimal(9))

    assert (await api.post(LIMITED, secret)).status_code == 200


async def test_spend_is_the_sum_of_the_generations_to_the_last_digit(api: Api) -> None:
    await offer(api, {"prices": {"prompt": "0.000000039", "completion": "0.000000000001"}})

    await asyncio.gather(*(api.complete(str(number)) for number in range(12)))

    total = sum([row.cost async for row in Generation.objects.all()], Decimal(0))
    assert total == 12 * (10 * Decimal("0.000000039") + 5 * Decimal("0.000000000001"))
    assert set(await spend_of(f"key:{api.key.pk}")) == {(total, Decimal(0))}
    assert await spend_of(f"user:{api.key.user_id}") == [(total, Decimal(0))]
