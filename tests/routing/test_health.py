from typing import Any

import httpx
import pytest

from routing.failures import AttemptFailed, in_band_failure, timed_out
from routing.health import LEAST_RETRIES, Choice, Health, RetryBudget
from tests.routing.values import Clock, make_offer

A, B = make_offer("a/one", "x", id=1), make_offer("a/one", "y", id=2)
C = make_offer("b/two", "x", id=3)
LATER = make_offer("a/one", "z", id=4)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(clock)


def status(code: int, retry_after: int | None = None) -> AttemptFailed:
    kind = {429: 429, 503: 503, 529: 503, 504: 504, 408: 504, 400: 400}.get(code, 502)
    return AttemptFailed(
        kind, "x", "x", http_status=code, retryable=code != 400, retry_after=retry_after
    )


def unreachable(cause: Exception | None = None) -> AttemptFailed:
    failure = AttemptFailed(502, "provider_unavailable", "The provider cannot be reached.")
    failure.__cause__ = cause
    return failure


def chosen(health: Health, *offers: Any) -> list[int]:
    return [one.id for one in health.choose(offers or (A, B), 3).offers]


def fail(health: Health, failure: AttemptFailed, offer: Any = A) -> None:
    health.failed(offer, failure, health.clock())


def fail_probes(health: Health, clock: Clock, times: int) -> None:
    for _ in range(times):
        clock.now += 301
        chosen(health)
        fail(health, status(503))


def succeed(health: Health, offer: Any = A) -> None:
    health.succeeded(offer, health.clock())


def test_while_nothing_fails_the_order_is_kept(health: Health) -> None:
    assert health.choose(iter((A, B, C, LATER)), 3) == Choice((A, B, C))


FAILURES = [
    (status(500), 30, "HTTP 500"),
    (status(503), 30, "HTTP 503"),
    (status(529), 30, "HTTP 529"),
    (status(503, retry_after=7), 7, "HTTP 503"),
    (status(429), 30, "HTTP 429"),
    (status(429, retry_after=7), 7, "HTTP 429"),
    (status(429, retry_after=3600), 300, "HTTP 429"),
    (status(401), 300, "HTTP 401"),
    (status(403), 300, "HTTP 403"),
    (status(302), 30, "HTTP 302"),
    (timed_out(), 30, "no answer in time"),
    (unreachable(), 30, "no connection"),
    (in_band_failure({"code": 429}), 30, "error 429 in an answer"),
    (in_band_failure({"code": 500}), 30, "a broken answer"),
]


@pytest.mark.parametrize(("failure", "seconds", "after"), FAILURES)
def test_an_endpoint_that_failed_is_skipped_for_its_time(
    health: Health, clock: Clock, failure: AttemptFailed, seconds: int, after: str
) -> None:
    fail(health, failure)

    clock.now += seconds - 0.1
    cooling = health.choose((A, B), 3)
    clock.now += 0.2
    assert (cooling.offers, cooling.skipped[0].after) == ((B,), after)
    assert chosen(health) == [1, 2]


INNOCENT = [
    status(400),
    in_band_failure({"code": 400}),
    status(409),
    unreachable(httpx.PoolTimeout("ours")),
]


@pytest.mark.parametrize("failure", INNOCENT)
def test_what_is_no_fault_of_the_endpoint_cools_nothing(
    health: Health, failure: AttemptFailed
) -> None:
    fail(health, failure)
    fail(health, failure)

    assert chosen(health) == [1, 2]


@pytest.mark.parametrize("code", [500, 502, 403, 404])
def test_one_odd_failure_after_a_success_may_be_the_requests_fault(
    health: Health, code: int
) -> None:
    succeed(health)
    fail(health, status(code))
    after_one = chosen(health)
    fail(health, status(code))

    assert (after_one, chosen(health)) == ([1, 2], [2])


@pytest.mark.parametrize("failure", [status(429), status(503), timed_out(), status(401)])
def test_an_endpoint_that_says_so_is_skipped_however_well_it_went(
    health: Health, clock: Clock, failure: AttemptFailed
) -> None:
    succeed(health)
    clock.now += 1
    fail(health, failure)

    assert chosen(health) == [2]


def test_an_endpoint_that_answers_others_meanwhile_is_not_silent(
    health: Health, clock: Clock
) -> None:
    began = clock.now
    clock.now += 5
    succeed(health)
    health.failed(A, timed_out(), began)
    after_one = chosen(health)
    health.failed(A, timed_out(), began)

    assert (after_one, chosen(health)) == ([1, 2], [2])


@pytest.mark.parametrize("failure", [status(401), unreachable()])
def test_a_provider_that_is_down_or_refuses_our_key_takes_all_its_endpoints_along(
    health: Health, failure: AttemptFailed
) -> None:
    fail(health, failure)

    assert chosen(health, A, C, B) == [2]


def test_a_provider_that_serves_other_models_is_not_down(health: Health) -> None:
    succeed(health, C)
    fail(health, status(401))

    assert chosen(health, A, C, B) == [3, 2]


@pytest.mark.parametrize(
    "changed",
    [{"credential": "sk-new"}, {"base_url": "https://new.example.com/v1"}],
)
def test_an_endpoint_that_its_operator_changed_starts_anew(
    health: Health, changed: dict[str, str]
) -> None:
    fail(health, status(401))
    fail(health, status(403))

    assert chosen(health, make_offer("a/one", "x", id=1, **changed), B) == [1, 2]


def test_after_the_cool_down_one_request_at_a_time_goes_first(health: Health, clock: Clock) -> None:
    fail(health, status(503))
    clock.now += 31

    assert [chosen(health), chosen(health)] == [[1, 2], [2]]


def test_a_probe_that_says_nothing_gives_way_to_another(health: Health, clock: Clock) -> None:
    fail(health, status(503))
    clock.now += 31
    chosen(health)

    clock.now += 29
    waiting = chosen(health)
    clock.now += 2
    assert (waiting, chosen(health)) == ([2], [1, 2])


def test_a_released_probe_lets_the_next_one_try(health: Health, clock: Clock) -> None:
    fail(health, status(503))
    clock.now += 31

    health.release(health.choose((A, B), 3).turn)

    assert chosen(health) == [1, 2]


def test_who_was_chosen_before_the_failure_has_no_turn_to_give_back(
    health: Health, clock: Clock
) -> None:
    before = health.choose((A, B), 3)
    fail(health, status(503))
    clock.now += 31
    chosen(health)

    health.release(before.turn)

    assert chosen(health) == [2]


def test_a_turn_that_was_overdue_does_not_end_the_one_after_it(
    health: Health, clock: Clock
) -> None:
    fail(health, status(503))
    clock.now += 31
    overdue = health.choose((A, B), 3)
    clock.now += 31
    chosen(health)

    health.release(overdue.turn)

    assert chosen(health) == [2]


def test_a_probe_that_passes_ends_the_cool_down(health: Health, clock: Clock) -> None:
    fail(health, status(503))
    clock.now += 31
    chosen(health)
    succeed(health)

    assert [chosen(health), chosen(health)] == [[1, 2], [1, 2]]


@pytest.mark.parametrize(("fails", "seconds"), [(1, 60), (2, 120), (3, 240), (4, 300), (9, 300)])
def test_each_probe_that_fails_lengthens_the_cool_down_to_a_bound(
    health: Health, clock: Clock, fails: int, seconds: int
) -> None:
    fail(health, status(503))
    fail_probes(health, clock, fails)

    clock.now += seconds - 1
    cooling = chosen(health)
    clock.now += 2
    assert (cooling, chosen(health)) == ([2], [1, 2])


def test_failures_of_calls_made_before_the_cool_down_do_not_lengthen_it(
    health: Health, clock: Clock
) -> None:
    before = clock.now
    clock.now += 5
    fail(health, status(503))
    clock.now += 31
    health.failed(A, status(503), before)

    assert chosen(health) == [1, 2]


def test_failures_as_a_last_resort_do_not_lengthen_the_cool_down(
    health: Health, clock: Clock
) -> None:
    fail(health, status(503))
    clock.now += 10
    fail(health, status(503))
    clock.now += 21

    assert chosen(health) == [1, 2]


def test_a_call_made_before_the_cool_down_does_not_end_it(health: Health, clock: Clock) -> None:
    before = clock.now
    clock.now += 5
    fail(health, status(503, retry_after=60))
    health.succeeded(A, before)

    assert chosen(health) == [2]


def test_a_cool_down_that_nobody_looked_at_is_forgotten(health: Health, clock: Clock) -> None:
    fail(health, status(503))
    clock.now += 700

    assert [chosen(health), chosen(health)] == [[1, 2], [1, 2]]


def test_an_endpoint_whose_cool_down_ended_is_a_fallback_for_all(
    health: Health, clock: Clock
) -> None:
    fail(health, status(503), B)
    clock.now += 31

    assert [chosen(health), chosen(health)] == [[1, 2], [1, 2]]


def test_where_all_are_cooling_down_the_one_that_is_back_first_is_tried(health: Health) -> None:
    fail(health, status(429, retry_after=9), A)
    fail(health, status(429, retry_after=7), B)
    fail(health, status(401), C)

    choice = health.choose((C, A, B), 3)

    assert (choice.offers, choice.last_resort) == ((B,), True)
    assert [one.offer for one in choice.skipped] == [C, A]


def test_a_last_resort_falls_back_to_those_that_did_not_ask_for_peace(
    health: Health, clock: Clock
) -> None:
    fail(health, status(500), A)
    clock.now += 1
    fail(health, status(500), B)
    fail(health, status(503, retry_after=40), LATER)

    assert chosen(health, LATER, B, A) == [1, 2]


def test_what_is_known_is_bounded(health: Health, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routing.health.MOST_REMEMBERED", 2)
    fail(health, status(500), A)
    fail(health, status(500), B)
    fail(health, status(500), LATER)

    assert chosen(health, A, B, LATER) == [1, 2]


def test_one_line_is_logged_when_an_endpoint_goes_and_one_when_it_is_back(
    health: Health, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    fail(health, status(503))
    fail(health, status(503))
    clock.now += 31
    fail(health, status(503))
    succeed(health)

    assert caplog.messages == [
        "a/one at X is left alone for 30 s after HTTP 503",
        "a/one at X is back after HTTP 503",
    ]
    assert "sk-upstream" not in caplog.text


def test_who_is_alone_gets_every_fallback(clock: Clock) -> None:
    budget = RetryBudget(clock)

    assert all(budget.take() for _ in range(LEAST_RETRIES))
    assert not budget.take()
    clock.now += 1
    assert [budget.take(), budget.take()] == [True, False]


def test_a_fifth_of_the_requests_may_be_retried(clock: Clock) -> None:
    budget = RetryBudget(clock)
    [budget.take() for _ in range(LEAST_RETRIES)]
    [budget.note_request() for _ in range(100)]

    assert sum([budget.take() for _ in range(100)]) == 20
