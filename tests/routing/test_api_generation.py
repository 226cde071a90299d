from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from tests.factories import make_attempt, make_generation, make_secret, make_user

REQUIRED = """
id upstream_id total_cost usage cache_discount upstream_inference_cost created_at model app_id
streamed cancelled provider_name latency moderation_latency generation_time finish_reason
native_finish_reason service_tier tokens_prompt tokens_completion native_tokens_prompt
native_tokens_completion native_tokens_completion_images native_tokens_reasoning
native_tokens_cached num_media_prompt num_input_audio_prompt num_media_completion
num_search_results num_fetches web_search_engine origin is_byok external_user api_type preset_id
router provider_responses user_agent http_referer data_region workspace_id
"""
KEYS = set(REQUIRED.split())


class Caller:
    """A user with a key, who asks for generations."""

    def __init__(self, client: Client) -> None:
        self.client, self.user = client, make_user()
        self.secret = make_secret(self.user)[1]

    def get(self, **query: str) -> Any:
        headers = {"Authorization": f"Bearer {self.secret}"}
        return self.client.get("/api/v1/generation", query, headers=headers)

    def entry(self, **fields: Any) -> dict[str, Any]:
        response = self.get(id=make_generation(self.user, **fields).id)
        assert response.status_code == 200
        return response.json()["data"]


@pytest.fixture
def caller(client: Client, db: None) -> Caller:
    return Caller(client)


def test_a_generation_has_the_42_keys_of_the_strict_clients(caller: Caller) -> None:
    assert len(KEYS) == 42
    assert caller.entry().keys() >= KEYS


def test_a_generation_says_what_was_asked_and_what_answered(caller: Caller) -> None:
    entry = caller.entry(cost=Decimal("0.00032"), first_token_ms=300, end_user="jane")

    assert entry["model"] == "anthropic/claude-haiku-4.5"
    assert entry["router"] == "openrouter/auto"
    assert (entry["total_cost"], entry["usage"]) == (0.00032, 0.00032)
    assert (entry["tokens_prompt"], entry["native_tokens_completion"]) == (120, 40)
    assert (entry["latency"], entry["generation_time"]) == (300, 900)
    assert (entry["external_user"], entry["cancelled"], entry["is_byok"]) == ("jane", False, False)
    assert entry["created_at"].endswith("+00:00")


@pytest.mark.parametrize(("first_token_ms", "latency"), [(0, 0), (300, 300), (None, 900)])
def test_latency_is_that_of_the_first_token_where_there_was_one(
    caller: Caller, first_token_ms: int | None, latency: int
) -> None:
    assert caller.entry(first_token_ms=first_token_ms)["latency"] == latency


def test_a_direct_slug_has_no_router(caller: Caller) -> None:
    assert caller.entry(requested_model="anthropic/claude-haiku-4.5")["router"] is None


def test_a_client_that_left_is_told(caller: Caller) -> None:
    assert caller.entry(status="cancelled")["cancelled"] is True


def test_each_attempt_is_a_response_of_a_provider(caller: Caller) -> None:
    generation = make_generation(caller.user)
    make_attempt(generation, number=1, provider="Down", http_status=503)
    make_attempt(generation, number=2, provider="Up")

    entry = caller.get(id=generation.id).json()["data"]

    found = [(one["provider_name"], one["status"]) for one in entry["provider_responses"]]
    assert found == [("Down", 503), ("Up", 200)]


def test_somebody_elses_is_as_absent_as_none(caller: Caller) -> None:
    foreign = make_generation().id

    theirs, none = caller.get(id=foreign), caller.get(id="gen-1-none")

    assert (theirs.status_code, none.status_code) == (404, 404)
    assert (
        theirs.json()["error"]["message"].replace(foreign, "gen-1-none")
        == (none.json()["error"]["message"])
    )


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 400),
        ({"id": ""}, 400),
        ({"id": "x" * 10_000}, 400),
        ({"id": "gen-\x00"}, 400),
        ({"id": "' OR 1=1--"}, 404),
    ],
)
def test_an_id_that_is_none_is_refused(caller: Caller, query: dict[str, str], status: int) -> None:
    response = caller.get(**query)

    assert response.status_code == status
    assert len(response.content) < 500


def test_a_generation_is_told_in_a_bounded_number_of_queries(
    caller: Caller, django_assert_max_num_queries: Any
) -> None:
    generation = make_generation(caller.user)

    with django_assert_max_num_queries(3):
        caller.get(id=generation.id)


def test_without_a_key_there_is_nothing(client: Client, db: None) -> None:
    assert client.get("/api/v1/generation?id=gen-1").status_code == 401
