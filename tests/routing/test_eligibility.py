from typing import Any

import pytest

from routing.catalog import Model, Offer
from routing.eligibility import Out, needs_of, offers_for
from routing.engine import conversation
from tests.routing.values import make_completion, make_model, make_offer, make_rates

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
MOVIE = {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}}
PAPER = {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}}
TOOL = {"type": "function", "function": {"name": "look_up"}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "it"}}


def speed(offer: Offer) -> float:
    return float(offer.id)


def found_for(model: Model, **fields: Any) -> tuple[Offer, ...] | Out:
    completion = make_completion(**fields)
    talk = conversation.read(
        completion.messages,
        tools=completion.tools,
        response_format=completion.response_format,
        max_output_tokens=completion.max_tokens,
    )
    return offers_for(model, needs_of(completion, talk), completion.provider, speed)


def reason_of(found: tuple[Offer, ...] | Out) -> str:
    return found.reason if isinstance(found, Out) else ""


def said(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "text", "text": "Look"}, *parts]}]


def providers_of(found: tuple[Offer, ...] | Out) -> list[str]:
    assert not isinstance(found, Out), found
    return [offer.provider for offer in found]


@pytest.mark.parametrize(
    ("kind", "part"), [("image", PICTURE), ("audio", SOUND), ("video", MOVIE), ("file", PAPER)]
)
def test_what_a_message_holds_must_be_read(kind: str, part: dict[str, Any]) -> None:
    blind = make_model()
    able = make_model(input_modalities=frozenset({"text", kind}))

    assert reason_of(found_for(blind, messages=said(part))) == "modality"
    assert reason_of(found_for(able, messages=said(part))) == ""


def test_an_image_of_an_earlier_turn_counts() -> None:
    messages = [*said(PICTURE), {"role": "user", "content": "And now?"}]

    assert reason_of(found_for(make_model(), messages=messages)) == "modality"


def test_what_is_asked_for_must_be_produced() -> None:
    painter = make_model(output_modalities=frozenset({"text", "image"}))

    assert reason_of(found_for(make_model(), modalities=["text", "image"])) == "modality"
    assert reason_of(found_for(painter, modalities=["text", "image"])) == ""


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ({"tools": [TOOL]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"response_format": SCHEMA}, "structured_outputs"),
    ],
)
def test_a_capability_that_is_asked_for_must_be_supported(
    fields: dict[str, Any], parameter: str
) -> None:
    plain = make_model("a/one", make_offer(supported_parameters=frozenset()))
    able = make_model("a/one", make_offer(supported_parameters=frozenset({parameter})))

    assert reason_of(found_for(plain, **fields)) == parameter
    assert reason_of(found_for(able, **fields)) == ""


@pytest.mark.parametrize("fields", [{"temperature": 1}, {"response_format": {"type": "text"}}])
def test_a_parameter_that_only_tunes_excludes_nobody(fields: dict[str, Any]) -> None:
    plain = make_model("a/one", make_offer(supported_parameters=frozenset()))

    assert reason_of(found_for(plain, **fields)) == ""


@pytest.mark.parametrize(
    ("fields", "supported", "reason"),
    [
        ({"temperature": 1}, {"temperature"}, ""),
        ({"temperature": 1}, {"top_p"}, "parameters"),
        ({"reasoning_effort": "low"}, {"reasoning"}, ""),
        ({"reasoning": {"effort": "low"}}, {"reasoning_effort"}, ""),
        ({"reasoning": {"effort": "low"}}, {"temperature"}, "parameters"),
        ({"n": 1, "modalities": ["text"]}, set(), ""),
    ],
)
def test_required_parameters_must_all_be_supported(
    fields: dict[str, Any], supported: set[str], reason: str
) -> None:
    model = make_model("a/one", make_offer(supported_parameters=frozenset(supported)))

    found = found_for(model, provider={"require_parameters": True}, **fields)

    assert reason_of(found) == reason


@pytest.mark.parametrize(("words", "reason"), [(90_000, ""), (110_000, "context")])
def test_the_whole_request_must_fit_the_context(words: int, reason: str) -> None:
    messages = [{"role": "user", "content": "abc " * words}]

    assert reason_of(found_for(make_model(), messages=messages)) == reason


@pytest.mark.parametrize(("max_tokens", "reason"), [(5_000, ""), (15_000, "context")])
def test_the_answer_must_fit_beside_the_prompt(max_tokens: int, reason: str) -> None:
    model = make_model("a/one", make_offer(max_output_tokens=50_000))
    messages = [{"role": "user", "content": "abc " * 90_000}]

    assert reason_of(found_for(model, messages=messages, max_tokens=max_tokens)) == reason


def test_a_longer_answer_than_a_model_gives_puts_it_behind_those_that_can() -> None:
    model = make_model()
    completion = make_completion(max_tokens=10_001)
    needs = needs_of(completion, conversation.read(completion.messages))

    strictly = offers_for(model, needs, completion.provider, speed)
    leniently = offers_for(model, needs.leniently(), completion.provider, speed)

    assert (reason_of(strictly), reason_of(leniently)) == ("max_output", "")


@pytest.mark.parametrize("max_tokens", [99_999, 100_000, 300_000])
def test_an_answer_as_long_as_the_context_is_clamped_where_nobody_gives_more(
    max_tokens: int,
) -> None:
    model = make_model("a/one", make_offer(max_output_tokens=None))
    completion = make_completion(max_tokens=max_tokens)
    needs = needs_of(completion, conversation.read(completion.messages))

    strictly = offers_for(model, needs, completion.provider, speed)
    leniently = offers_for(model, needs.leniently(), completion.provider, speed)

    assert reason_of(strictly) in ("max_output", "context")
    assert reason_of(leniently) == ""


def test_a_model_without_endpoints_says_what_would_change_that() -> None:
    model = make_model(offers=(), unusable="No endpoint of a/one is usable: set A_KEY.")

    found = found_for(model)

    assert found == Out("no_endpoint", "No endpoint of a/one is usable: set A_KEY.")


THREE = make_model(
    "a/one",
    make_offer(provider="cheap", id=3, rates=make_rates("0.000001", "0.000001")),
    make_offer(provider="middle", id=2, rates=make_rates("0.000005", "0.000005")),
    make_offer(provider="dear", id=1, rates=make_rates("0.000009", "0.000009")),
)


@pytest.mark.parametrize(
    ("preferences", "providers"),
    [
        ({}, ["cheap", "middle", "dear"]),
        ({"order": ["dear"]}, ["dear", "cheap", "middle"]),
        ({"order": ["Middle", "dear"]}, ["middle", "dear", "cheap"]),
        ({"order": ["unknown"]}, ["cheap", "middle", "dear"]),
        ({"only": ["dear", "MIDDLE"]}, ["middle", "dear"]),
        ({"ignore": ["cheap"]}, ["middle", "dear"]),
        ({"only": ["dear", "cheap"], "ignore": ["cheap"]}, ["dear"]),
        ({"allow_fallbacks": False}, ["cheap", "middle", "dear"]),
        ({"order": ["dear", "middle"], "allow_fallbacks": False}, ["dear", "middle"]),
        ({"sort": "price"}, ["cheap", "middle", "dear"]),
        ({"sort": "latency"}, ["dear", "middle", "cheap"]),
        ({"sort": {"by": "throughput"}}, ["dear", "middle", "cheap"]),
        ({"sort": "latency", "order": ["cheap"]}, ["cheap", "dear", "middle"]),
        ({"max_price": {"prompt": 5}}, ["cheap", "middle"]),
        ({"max_price": {"completion": "1"}}, ["cheap"]),
        ({"max_price": {"request": 0}}, ["cheap", "middle", "dear"]),
    ],
)
def test_endpoints_are_those_preferred_in_the_order_preferred(
    preferences: dict[str, Any], providers: list[str]
) -> None:
    assert providers_of(found_for(THREE, provider=preferences)) == providers


@pytest.mark.parametrize(
    ("preferences", "reason"),
    [
        ({"only": ["unknown"]}, "provider"),
        ({"ignore": ["dear", "cheap", "middle"]}, "provider"),
        ({"order": ["unknown"], "allow_fallbacks": False}, "provider"),
        ({"max_price": {"prompt": "0.99"}}, "max_price"),
    ],
)
def test_preferences_that_nobody_meets_exclude_the_model(
    preferences: dict[str, Any], reason: str
) -> None:
    assert reason_of(found_for(THREE, provider=preferences)) == reason


def test_a_price_ceiling_sees_the_price_of_a_long_prompt() -> None:
    rates = make_rates(long_context_over=50_000, long_prompt="0.000009")
    model = make_model("a/one", make_offer(rates=rates))
    ceiling = {"max_price": {"prompt": 5}}
    long = [{"role": "user", "content": "abc " * 60_000}]

    assert reason_of(found_for(model, provider=ceiling)) == ""
    assert reason_of(found_for(model, provider=ceiling, messages=long)) == "max_price"


def test_a_ceiling_on_requests_is_in_dollars_each() -> None:
    model = make_model("a/one", make_offer(rates=make_rates(request="0.01")))

    assert reason_of(found_for(model, provider={"max_price": {"request": "0.009"}})) == "max_price"
    assert reason_of(found_for(model, provider={"max_price": {"request": "0.01"}})) == ""


@pytest.mark.parametrize(
    ("parameters", "ceiling", "reason"),
    [
        ({"web_search_options"}, "0.011", "max_price"),
        ({"web_search_options"}, "0.012", ""),
        ({"tools"}, "0.007", ""),
    ],
)
def test_a_ceiling_on_requests_holds_for_the_search_of_who_always_searches(
    parameters: set[str], ceiling: str, reason: str
) -> None:
    rates = make_rates(request="0.007", web_search="0.005")
    offer = make_offer(rates=rates, supported_parameters=frozenset(parameters))

    found = found_for(make_model("a/one", offer), provider={"max_price": {"request": ceiling}})

    assert reason_of(found) == reason


@pytest.mark.parametrize(
    ("name", "ceiling", "told"),
    [
        ("prompt", 0.1, "prompt price of $1.25 per million tokens exceeds the max_price of $0.1."),
        ("completion", "1e1", "completion price of $100 per million tokens exceeds the max_price"),
        ("request", 0, "request price of $0.01 per request exceeds the max_price of $0."),
    ],
)
def test_a_price_over_the_ceiling_is_told_with_its_unit(name: str, ceiling: Any, told: str) -> None:
    rates = make_rates("0.000001250000", "0.000100000000", request="0.010000000000")
    model = make_model("a/one", make_offer(rates=rates))

    found = found_for(model, provider={"max_price": {name: ceiling}})

    assert isinstance(found, Out)
    assert told in found.detail
