from typing import Any

import pytest

from activity.models import Generation
from routing.completion import end_user_hash, parse
from routing.errors import ApiError, InvalidRequest
from tests.conftest import Api, FakeProvider, in_db
from tests.factories import make_offer
from tests.routing.values import HELLO, make_body, make_completion

TOOL = {"type": "function", "function": {"name": "look_up"}}
NAMED = {"type": "function", "function": {"name": "look_up"}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "it", "schema": {}}}
DEEP = {"properties": {"x": "y" * 1_100_000}}
LARGE_TOOL = {"type": "function", "function": {"name": "a", "parameters": DEEP}}
LARGE_FORMAT = {"type": "json_schema", "json_schema": DEEP}

WRONG: list[tuple[str, Any, str]] = [
    *[("model", value, "model") for value in (5, True, "", " ", "a\x00b", "x" * 10_000, ["a"])],
    *[("models", value, "models") for value in (5, "a/one", {}, ["a"] * 33, "x")],
    *[("models", [value], "models[0]") for value in (5, None, "a\x00", "x" * 201, " ")],
    *[("stream", value, "stream") for value in ("true", "", 0, 1, [], {})],
    *[("temperature", value, "temperature") for value in (-0.1, 2.1, "1", True, [1])],
    *[("top_p", value, "top_p") for value in (-1, 1.1)],
    *[("top_k", value, "top_k") for value in (1.5, -1, "5")],
    *[("frequency_penalty", value, "frequency_penalty") for value in (-2.1, 2.1)],
    *[("presence_penalty", value, "presence_penalty") for value in (-2.1, 2.1)],
    *[("max_tokens", value, "max_tokens") for value in (0, -1, 1.5, "10", True, 2**63, 1e300)],
    *[("max_completion_tokens", value, "max_completion_tokens") for value in (0, "10")],
    *[("stop", value, "stop") for value in (["a"] * 5, "", 5, [""], [5], [], {})],
    *[("n", value, "n") for value in (0, 2, 100, "1", True)],
    *[("seed", value, "seed") for value in (1.5, 2**63, "1")],
    ("tools", [TOOL] * 129, "tools"),
    ("tools", {}, "tools"),
    ("tools", [5], "tools[0]"),
    ("tools", [{"type": "web"}], "tools[0].type"),
    ("tools", [{"type": "function"}], "tools[0].function"),
    ("tools", [{"type": "function", "function": {}}], "tools[0].function.name"),
    ("tools", [{"type": "function", "function": {"name": ""}}], "tools[0].function.name"),
    ("tools", [LARGE_TOOL], "tools"),
    ("tool_choice", "always", "tool_choice"),
    ("tool_choice", 5, "tool_choice"),
    *[("tool_choice", value, "tool_choice.type") for value in ({}, {"type": "x"}, {"type": 5})],
    ("tool_choice", {"type": "function"}, "tool_choice.function"),
    *[
        ("tool_choice", {"type": "function", "function": value}, "tool_choice.function.name")
        for value in ({}, {"name": ""}, {"name": 5})
    ],
    *[("tool_choice", value, "tool_choice") for value in ("required", NAMED)],
    ("response_format", "json", "response_format"),
    ("response_format", {"type": "xml"}, "response_format.type"),
    ("response_format", {"type": "json_schema"}, "response_format.json_schema"),
    ("response_format", LARGE_FORMAT, "response_format"),
    *[
        (
            "response_format",
            {"type": "json_schema", "json_schema": {name: value}},
            f"response_format.json_schema.{name}",
        )
        for name, value in (("schema", 5), ("schema", []), ("strict", "yes"), ("name", ""))
    ],
    ("metadata", {str(n): "x" for n in range(17)}, "metadata"),
    ("metadata", {"k" * 65: "x"}, "metadata"),
    ("metadata", {"k": "x" * 513}, "metadata.k"),
    ("metadata", {"k": 5}, "metadata.k"),
    ("metadata", [], "metadata"),
    *[("top_logprobs", value, "top_logprobs") for value in (21, -1, 0.5)],
    ("logit_bias", [1], "logit_bias"),
    *[("user", value, "user") for value in ("x" * 1024, 5, "a\x00b", ["x"])],
    *[("provider", value, "provider") for value in ("openai", [], 5)],
    *[("route", value, "route") for value in (5, "nearest", {})],
    *[("transforms", value, "transforms") for value in ("middle-out", {})],
    ("transforms", [5], "transforms[0]"),
    *[("reasoning", value, "reasoning") for value in ("high", 5)],
    ("reasoning", {"effort": "most"}, "reasoning.effort"),
    ("reasoning", {"max_tokens": 0}, "reasoning.max_tokens"),
    *[
        ("reasoning", {name: value}, f"reasoning.{name}")
        for name in ("enabled", "exclude")
        for value in ("yes", 1)
    ],
    ("reasoning_effort", "most", "reasoning_effort"),
    ("modalities", ["smell"], "modalities"),
    ("service_tier", "gold", "service_tier"),
    *[("api_base", value, "api_base") for value in ("http://evil.example", None)],
    ("base_url", "http://evil.example", "base_url"),
    ("api_key", "sk-x", "api_key"),
    ("extra_headers", {"X": "y"}, "extra_headers"),
    *[("preset", value, "preset") for value in ("mine", 5)],
    *[("session_id", value, "session_id") for value in (5, [], {}, True, "x" * 257)],
    *[("session_id", value, "session_id") for value in ("a\x00b", "a\r\nb", "a\x7f")],
    ("prompt_cache_key", "x" * 257, "prompt_cache_key"),
]


@pytest.mark.parametrize(("field", "value", "named"), WRONG)
def test_a_wrong_value_is_refused_by_the_name_of_its_field(
    field: str, value: Any, named: str
) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        make_completion(**{field: value})

    error = refusal.value
    assert (error.status, error.error_type) == (400, "invalid_request")
    assert error.metadata["param"] == named
    assert named in error.message
    assert len(error.message) < 400


RIGHT: list[tuple[str, Any]] = [
    *[("temperature", value) for value in (0, 2, 1.5)],
    *[("stop", value) for value in ("\n", ["a"] * 4)],
    ("seed", -(2**63)),
    ("tools", [TOOL] * 128),
    ("response_format", SCHEMA),
    ("response_format", {"type": "json_schema", "json_schema": {"schema": None, "strict": None}}),
    ("reasoning", {"effort": "none", "max_tokens": 100}),
    ("reasoning", {"enabled": True, "exclude": None}),
    ("logit_bias", {"50256": -100}),
]


@pytest.mark.parametrize(("field", "value"), RIGHT)
def test_a_good_value_is_forwarded_as_it_is(field: str, value: Any) -> None:
    completion = make_completion(**{field: value})

    assert completion.parameters == {field: value}


@pytest.mark.parametrize("choice", ["auto", "none"])
@pytest.mark.parametrize("tools", [None, []])
def test_what_is_said_of_no_tools_is_not_sent_on(choice: str, tools: Any) -> None:
    completion = make_completion(tools=tools, tool_choice=choice, parallel_tool_calls=True)

    assert completion.parameters == {}


@pytest.mark.parametrize("choice", ["auto", "none", "required", NAMED, {"type": "allowed_tools"}])
def test_a_tool_is_asked_for_where_there_is_one(choice: Any) -> None:
    completion = make_completion(tools=[TOOL], tool_choice=choice)

    assert completion.parameters["tool_choice"] == choice


OPTIONAL = ["temperature", "stop", "tools", "max_tokens", "user", "session_id", "stream"]
OPTIONAL += ["preset", "plugins", "provider", "models", "metadata", "route", "response_format"]


@pytest.mark.parametrize("field", OPTIONAL)
def test_null_counts_as_absent(field: str) -> None:
    assert make_completion(**{field: None}).parameters == {}


IGNORED = ["foo", "__proto__", "constructor", "", "usage", "trace", "functions", "audio"]


@pytest.mark.parametrize("field", IGNORED)
def test_an_unknown_field_is_ignored_and_not_forwarded(field: str) -> None:
    assert make_completion(**{field: {"include": True}}).parameters == {}


def test_a_prompt_is_answered_with_what_to_send() -> None:
    with pytest.raises(InvalidRequest, match="prompt is not supported; send messages"):
        parse(b'{"model":"openrouter/auto","prompt":"Hello"}', {})


@pytest.mark.parametrize("fields", [{"model": None}, {"model": None, "models": []}])
def test_a_request_without_a_model_is_told_so(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="No models provided"):
        make_completion(**fields)


def test_models_follow_the_model_once_each_and_without_case() -> None:
    completion = make_completion(model=" A/One", models=["b/two", "a/one"])

    assert list(completion.models) == ["a/one", "b/two"]
    assert completion.requested == "a/one"


def test_the_smaller_of_two_token_limits_counts() -> None:
    assert make_completion(max_tokens=500, max_completion_tokens=20).max_tokens == 20


@pytest.mark.parametrize(("given", "read"), [(7.0, 7), (1e9, 1_000_000_000), (10**9, 10**9)])
def test_json_has_one_kind_of_number(given: Any, read: int) -> None:
    assert make_completion(max_tokens=given).max_tokens == read


@pytest.mark.parametrize("name", ["x-session-id", "x-session-affinity"])
@pytest.mark.parametrize("value", ["x" * 257, "a\x01b", "sitzüng"])
def test_a_session_header_is_checked_like_the_field(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest, match=name):
        make_completion({name: value})


@pytest.mark.parametrize(
    ("fields", "headers", "kind"),
    [
        ({"session_id": "a", "prompt_cache_key": "d"}, {"x-session-id": "b"}, "session_id"),
        (
            {"prompt_cache_key": "d"},
            {"x-session-id": "b", "x-session-affinity": "c"},
            "x-session-id",
        ),
        ({"prompt_cache_key": "d"}, {"x-session-affinity": "c"}, "x-session-affinity"),
        ({"prompt_cache_key": "d"}, {}, "prompt_cache_key"),
        ({"session_id": ""}, {"x-session-id": "b"}, "x-session-id"),
        ({}, {}, "fingerprint"),
        ({"session_id": ""}, {}, "fingerprint"),
    ],
)
def test_the_session_is_the_first_that_is_named(
    fields: dict[str, Any], headers: dict[str, str], kind: str
) -> None:
    session = make_completion(headers, **fields).session

    assert session.kind == kind
    assert session.explicit is (kind != "fingerprint")


@pytest.mark.parametrize("session_id", ["x" * 256, "🦊" * 256, "../../", "*", '{"a": 1}'])
def test_a_session_id_is_any_short_text(session_id: str) -> None:
    assert make_completion(session_id=session_id).session.id == session_id


def fingerprint(*messages: dict[str, Any]) -> str:
    return make_completion(messages=list(messages)).session.id


SYSTEM = {"role": "system", "content": "Be brief"}
USER = {"role": "user", "content": "Hello"}
ANSWER = {"role": "assistant", "content": "Hi"}


def test_the_fingerprint_is_the_opening_of_the_conversation() -> None:
    later = {"role": "user", "content": "And now?"}

    assert fingerprint(SYSTEM, USER) == fingerprint(SYSTEM, USER, ANSWER, later)


@pytest.mark.parametrize(
    "messages",
    [
        [USER],
        [{"role": "system", "content": "Be long"}, USER],
        [{"role": "developer", "content": "Be brief"}, USER],
        [SYSTEM, {"role": "user", "content": "Hello!"}],
        [SYSTEM, ANSWER, USER],
    ],
)
def test_another_opening_is_another_conversation(messages: list[dict[str, Any]]) -> None:
    assert fingerprint(*messages) != fingerprint(SYSTEM, USER)


@pytest.mark.parametrize(("value", "asked"), [("enabled", True), ("ENABLED", True), ("1", False)])
def test_the_metadata_header_is_enabled_or_nothing(value: str, asked: bool) -> None:
    assert make_completion({"x-openrouter-metadata": value}).metadata is asked


def test_the_end_user_hash_is_stable_for_a_tenant_and_tells_nothing() -> None:
    hashed = end_user_hash("secret", 1, "jane@example.com")

    assert hashed == end_user_hash("secret", 1, "jane@example.com")
    assert hashed != end_user_hash("secret", 2, "jane@example.com")
    assert "jane" not in hashed


def test_a_lone_surrogate_anywhere_is_not_json() -> None:
    with pytest.raises(ApiError, match="not valid JSON"):
        parse(make_body(user="X").replace(b'"X"', b'"\\ud800"'), {})


def test_a_nul_in_the_content_is_text() -> None:
    message = {"role": "user", "content": "a\x00b"}

    assert make_completion(messages=[message]).messages == [message]


def test_the_hello_of_these_tests_is_good() -> None:
    assert make_completion().messages == HELLO


@pytest.mark.parametrize(
    ("fields", "status", "error_type"),
    [
        ({"temperature": 3}, 400, "invalid_request"),
        ({"model": "acme/fake-1.0"}, 400, "invalid_request"),
        ({"messages": [{"role": "user", "content": ""}]}, 400, "invalid_prompt"),
        ({"plugins": [{"id": "auto-router", "allowed_models": ["nope/*"]}]}, 404, "not_found"),
        ({"session_id": "x" * 257}, 400, "invalid_request"),
        ({"stream": "true"}, 400, "invalid_request"),
    ],
)
async def test_a_refused_request_calls_nobody_and_leaves_no_row(
    api: Api, provider: FakeProvider, fields: dict[str, Any], status: int, error_type: str
) -> None:
    await in_db(make_offer)()
    await api.refresh()

    response = await api.complete(**fields)

    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (status, status)
    assert error["metadata"]["error_type"] == error_type
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert provider.requests == []
    assert not await Generation.objects.aexists()


async def test_an_unknown_model_is_named_and_clipped(api: Api) -> None:
    response = await api.complete(model="acme/fake-1.0")

    assert response.json()["error"]["message"] == "acme/fake-1.0 is not a valid model ID"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"model": "acme/fake"}, "model"),
        ({"models": ["a/one", "acme/fake"]}, "models[1]"),
        ({"model": None, "models": ["acme/fake"]}, "models[0]"),
        ({"model": "acme/fake", "models": ["acme/fake"]}, "model"),
    ],
)
async def test_an_unknown_model_is_told_by_the_field_that_names_it(
    api: Api, fields: dict[str, Any], named: str
) -> None:
    await in_db(make_offer)("a/one")
    await api.refresh()

    response = await api.complete(**fields)

    assert response.json()["error"]["metadata"]["param"] == named


MARKED = {"type": "text", "text": "Be brief", "cache_control": {"type": "ephemeral"}}
PICTURE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}


def session_of(*contents: Any) -> str:
    roles = ("system", "user", "assistant", "user")
    pairs = zip(roles, contents, strict=False)
    return make_completion(messages=[{"role": r, "content": c} for r, c in pairs]).session.id


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ("Be brief", [MARKED]),
        ([{"type": "text", "text": "Be brief"}], [MARKED]),
        ([MARKED, PICTURE], [MARKED, PICTURE | {"cache_control": {"type": "ephemeral"}}]),
    ],
)
def test_a_conversation_is_the_same_wherever_its_cache_is_marked(first: Any, later: Any) -> None:
    assert session_of(first, first) == session_of(later, later, "Hi", "And now?")


@pytest.mark.parametrize("other", ["Be verbose", [MARKED, MARKED], [MARKED, PICTURE], [PICTURE]])
def test_other_parts_are_another_conversation(other: Any) -> None:
    assert session_of("Be brief", "Hello") != session_of(other, "Hello")
