from typing import Any

import httpx
import orjson
import pytest

from activity.models import Generation
from routing.failures import (
    AttemptFailed,
    Refusal,
    in_band_failure,
    of_status,
    read_refusal,
    told,
)
from tests.conftest import Api, FakeProvider, chunk, events_of
from tests.routing.stories import offer
from tests.routing.values import HELLO, make_offer

SAID = {"message": "'temperature' is 5; expected at most 2.", "param": "temperature"}
DEMO = make_offer(provider_name="Demo")


@pytest.mark.parametrize(
    "body", [{"error": SAID}, [{"error": SAID}], SAID | {"object": "error", "code": 3051}]
)
def test_a_refusal_is_read_in_the_forms_that_providers_send(body: Any) -> None:
    found = read_refusal(orjson.dumps(body), "")

    assert found == Refusal(param="temperature", words=SAID["message"])


def test_the_words_of_a_provider_behind_a_provider_are_the_ones_told() -> None:
    metadata = {"raw": '{"error": "too hot"}', "provider_name": "Behind"}
    error = {"message": "Provider returned error", "code": 400, "metadata": metadata}

    found = read_refusal(orjson.dumps({"error": error}), "")

    assert found == Refusal(words='{"error": "too hot"}')


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("x" * 501, "x" * 500),
        ("a\x00b\x1b[31m\r\nc\u202e", "a b [31m  c"),
        *[(f"Bad {secret}.", "") for secret in ("API key", "api_key", "sk-1234", "Organization")],
        ("You have reached your specified API usage limits.", ""),
        ("Insufficient balance", ""),
        ("Your subscription plan does not include this model.", ""),
        ("Project 1234567 has exceeded its quota.", ""),
        ("Invalid token gsk_abc", ""),
        ("The deployment at https://10.0.0.5:8443/v1 refused", ""),
        *[(told, told) for told in ("max_tokens: 9 is above the limit of the model",)],
        ({"a": 1}, ""),
        (None, ""),
    ],
)
def test_the_words_of_a_refusal_are_short_plain_and_not_of_our_account(
    said: Any, words: str
) -> None:
    body = orjson.dumps({"error": {"message": said, "param": "a b"}})

    assert read_refusal(body, "") == Refusal(words=words)


@pytest.mark.parametrize(("credential", "words"), [("hunter2-hunter2", ""), ("demo", "the demo")])
def test_words_that_repeat_our_credential_stay_with_us(credential: str, words: str) -> None:
    body = orjson.dumps({"error": f"the {credential}"})

    assert read_refusal(body, credential).words == words


def test_an_error_names_the_provider_of_each_attempt() -> None:
    slow = AttemptFailed(504, "timeout", "The provider did not answer in time.")

    error = told([of_status(500, http_status=500), slow], [DEMO, make_offer(provider_name="B")])

    assert error.message == "The provider B did not answer in time."
    assert error.metadata == {
        "provider_name": "B",
        "previous_errors": [
            {"provider": "Demo", "code": 502, "status": 500},
            {"provider": "B", "code": 504, "status": None},
        ],
    }


def wait(seconds: int | None) -> AttemptFailed:
    return of_status(429, http_status=429, retry_after=seconds)


def test_who_asks_to_wait_is_named_where_it_is_one() -> None:
    alone = told([wait(7)], [DEMO, make_offer(provider_name="B")])
    twice = told([wait(9), wait(7)], [DEMO, DEMO])
    every = told([wait(9), wait(None)], [DEMO, make_offer(provider_name="B")])

    assert alone.message == twice.message == "The provider Demo asks to wait; try again in 7 s."
    assert every.message == "Every provider asks to wait; try again in 1 s."


def test_an_answer_that_broke_off_tells_why_whatever_failed_before_it() -> None:
    down, later = of_status(503, http_status=503), in_band_failure({"code": 429})

    error = told([down, later], [DEMO, make_offer(provider_name="B")], answered=True)

    assert (error.status, error.metadata["provider_name"]) == (429, "B")
    assert error.message == "The provider B asks to wait; try again in 1 s."
    assert [one["code"] for one in error.metadata["previous_errors"]] == [503, 429]


async def test_why_a_request_was_refused_is_for_its_sender_alone(
    api: Api, provider: FakeProvider
) -> None:
    await offer(api, {"slug": "a/one"})
    provider.reply(status=422, json={"error": SAID})

    error = (await api.complete()).json()["error"]

    row = await Generation.objects.values().aget()
    assert error["message"] == "The provider Up refused the request as invalid."
    assert error["metadata"] == {
        "error_type": "invalid_request",
        "provider_name": "Up",
        "param": "temperature",
        "raw": SAID["message"],
        "previous_errors": [{"provider": "Up", "code": 400, "status": 422}],
    }
    assert "temperature" not in repr(row)


@pytest.mark.parametrize("stream", [True, False])
async def test_an_error_tells_how_far_the_request_came_to_who_asks(
    api: Api, provider: FakeProvider, stream: bool
) -> None:
    await offer(api, {"slug": "a/one"}, {"slug": "b/two"})
    provider.reply(status=500)
    body = {"model": "a/one", "models": ["b/two"], "messages": HELLO, "stream": stream}

    response = await api.post(body, **{"X-OpenRouter-Metadata": "enabled"})

    metadata = response.json()["openrouter_metadata"]
    assert response.status_code == 502
    assert (metadata["attempt"], metadata["summary"]) == (2, "available=2")
    assert [one["selected"] for one in metadata["endpoints"]["available"]] == [False, False]


async def test_an_error_in_a_stream_tells_how_far_the_request_came(
    api: Api, provider: FakeProvider
) -> None:
    await offer(api, {"slug": "a/one", "provider": "down"}, {"slug": "b/two"})
    provider.reply("down", status=500)
    provider.reply(events=[chunk("Hel"), {"error": {"code": 503}}])
    body = {"model": "a/one", "models": ["b/two"], "messages": HELLO, "stream": True}

    asked = events_of(await api.post(body, **{"X-OpenRouter-Metadata": "enabled"}))[-2]
    unasked = events_of(await api.post(body))[-2]

    assert asked["error"]["metadata"]["provider_name"] == "Up"
    assert asked["openrouter_metadata"]["attempts"] == [
        {"provider": "Down", "model": "a/one", "status": 500},
        {"provider": "Up", "model": "b/two", "status": 503},
    ]
    assert "openrouter_metadata" not in unasked


@pytest.mark.parametrize("name", ["X-OpenRouter-Metadata", "X-OpenRouter-Experimental-Metadata"])
async def test_an_answer_tells_of_each_attempt_to_who_asks(
    api: Api, provider: FakeProvider, name: str
) -> None:
    await offer(api, {"slug": "a/one", "provider": "down"}, {"slug": "b/two"})
    provider.fail("down", httpx.ConnectError("no"))
    body = {"model": "a/one", "models": ["b/two"], "messages": HELLO}

    response = await api.post(body, **{name: "enabled"})

    metadata = response.json()["openrouter_metadata"]
    assert metadata["attempt"] == 2
    assert [one["status"] for one in metadata["attempts"]] == [502, 200]


@pytest.mark.parametrize(
    ("status", "headers"), [(500, {}), (429, {"X-OpenRouter-Metadata": "enabled"})]
)
async def test_an_error_has_no_metadata_unasked_or_where_everybody_waits(
    api: Api, provider: FakeProvider, status: int, headers: dict[str, str]
) -> None:
    await offer(api, {"slug": "a/one"})
    provider.reply(status=status)

    response = await api.post({"model": "a/one", "messages": HELLO}, **headers)

    assert response.json().keys() == {"error"}
