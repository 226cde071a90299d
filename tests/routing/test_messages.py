from typing import Any

import orjson
import pytest

from routing import messages, wire
from routing.errors import ApiError
from tests.routing.values import make_completion, make_offer, make_rates

PIXEL = "data:image/png;base64,iVBORw0KGgo="
TEXT, PDF = "data:text/plain", "data:application/pdf;base64,"
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}

REFUSAL = {"type": "refusal", "refusal": "Sorry: I cannot help with that."}

UNTYPED = {"id": "call_1", "function": {"name": "f", "arguments": ""}}
WITHOUT_ARGUMENTS = {"function": {"name": "f"}}


def refused(value: Any) -> ApiError:
    with pytest.raises(ApiError) as refusal:
        messages.check(value)
    return refusal.value


def user(content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}]


@pytest.mark.parametrize(
    "value", [None, {}, "hi", [], 5, [{"role": "user", "content": "x"}] * 2001]
)
def test_messages_are_an_array_of_a_bounded_length(value: Any) -> None:
    error = refused(value)

    assert (error.status, error.error_type) == (400, "invalid_request")
    assert error.message.startswith("messages")


@pytest.mark.parametrize(
    ("message", "named"),
    [
        (None, "messages[0]"),
        ("hi", "messages[0]"),
        ({}, "messages[0].role"),
        ({"content": "x"}, "messages[0].role"),
        ({"role": "root", "content": "x"}, "messages[0].role"),
        ({"role": 5, "content": "x"}, "messages[0].role"),
        ({"role": ["user"], "content": "x"}, "messages[0].role"),
        ({"role": "us\x00er", "content": "x"}, "messages[0].role"),
        *[({"role": "user", "content": c}, "messages[0].content") for c in (None, 5, {}, [])],
        ({"role": "user"}, "messages[0].content"),
        ({"role": "assistant", "content": None}, "messages"),
        ({"role": "assistant", "content": None, "tool_calls": []}, "messages"),
        ({"role": "assistant", "content": None, "refusal": ""}, "messages"),
        ({"role": "user", "content": None, "refusal": "No"}, "messages[0].content"),
        ({"role": "assistant", "content": None, "refusal": 5}, "messages"),
        ({"role": "assistant", "content": None, "reasoning": {}}, "messages"),
        ({"role": "assistant", "content": None, "reasoning_details": "x"}, "messages"),
        ({"role": "user", "content": [REFUSAL]}, "messages[0].content[0]"),
        ({"role": "assistant", "content": [{"type": "refusal"}]}, "messages[0].content[0].refusal"),
        ({"role": "tool", "content": "x"}, "messages[0].tool_call_id"),
        ({"role": "tool", "content": "x", "tool_call_id": ""}, "messages[0].tool_call_id"),
        ({"role": "user", "content": [{"text": "x"}]}, "messages[0].content[0]"),
        ({"role": "user", "content": [{"type": "hologram"}]}, "messages[0].content[0]"),
        ({"role": "user", "content": [{"type": ["text"]}]}, "messages[0].content[0]"),
        ({"role": "user", "content": ["x"]}, "messages[0].content[0]"),
        ({"role": "user", "content": [{"type": "text"}]}, "messages[0].content[0].text"),
        ({"role": "user", "content": [{"type": "text", "text": 5}]}, "messages[0].content[0].text"),
        ({"role": "user", "content": ""}, "messages"),
        ({"role": "user", "content": [{"type": "text", "text": ""}]}, "messages"),
    ],
)
def test_a_message_that_cannot_be_sent_is_an_invalid_prompt(message: Any, named: str) -> None:
    error = refused([message])

    assert (error.status, error.error_type) == (400, "invalid_prompt")
    assert error.metadata["param"] == named
    assert error.message.startswith(named)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        *[({"id": value}, "id") for value in (5, None, "", "x" * 4097)],
        *[({"type": value}, "type") for value in ("x", 5, {})],
        *[
            ({"function": {"name": "f", "arguments": value}}, "function.arguments")
            for value in (7, {})
        ],
    ],
)
def test_a_tool_call_that_cannot_be_repeated_is_refused(wrong: Any, named: str) -> None:
    error = refused([{"role": "assistant", "content": None, "tool_calls": [CALL, CALL | wrong]}])

    assert (error.status, error.error_type) == (400, "invalid_prompt")
    assert error.metadata["param"] == f"messages[0].tool_calls[1].{named}"


@pytest.mark.parametrize("name", ["name", "tool_call_id", "model"])
@pytest.mark.parametrize("value", ["a\x00b", "a\nb", 5, "x" * 4097])
def test_a_name_in_a_message_is_short_and_printable(name: str, value: Any) -> None:
    error = refused([{"role": "user", "content": "x", name: value}])

    assert (error.status, error.metadata["param"]) == (400, f"messages[0].{name}")


@pytest.mark.parametrize(
    "value",
    [
        [{"role": "system", "content": "Be brief"}],
        [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}],
        [{"role": "assistant", "content": None, "tool_calls": [CALL]}],
        [{"role": "assistant", "content": None, "tool_calls": [UNTYPED]}],
        [{"role": "assistant", "content": None, "tool_calls": [UNTYPED | {"type": ""}]}],
        [{"role": "assistant", "content": None, "tool_calls": [CALL | WITHOUT_ARGUMENTS]}],
        [{"role": "tool", "content": "42", "tool_call_id": "call_1"}],
        [
            {"role": "assistant", "content": None, "tool_calls": [CALL | {"id": "x" * 4096}]},
            {"role": "tool", "content": "42", "tool_call_id": "x" * 4096},
        ],
        [{"role": "assistant", "content": None, "refusal": "I cannot help with that."}],
        [{"role": "assistant", "reasoning": "Hm"}],
        [{"role": "assistant", "content": None, "reasoning_details": [{"type": "x"}]}],
        [{"role": "assistant", "content": [REFUSAL]}],
        user([{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]),
        user([{"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}}]),
        user([{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]),
        user([{"type": "file", "file": {"filename": "a.pdf", "file_data": "data:;base64,AA=="}}]),
        user([{"type": "file", "file": {"file_data": f"{TEXT};charset=utf-8;base64,QQ=="}}]),
        user([{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]),
        user([{"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}}]),
        user([{"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}}]),
        user("a\x00b"),
    ],
)
def test_a_good_message_passes_untouched(value: list[dict[str, Any]]) -> None:
    assert messages.check(value) == value


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("data:image/jpg;base64,AAAA", "data:image/jpeg;base64,AAAA"),
        ("data:image/png;charset=utf-8;base64,AAAA", "data:image/png;base64,AAAA"),
        ("data:IMAGE/JPG;a=b;c=d;base64,AAAA", "data:image/jpeg;base64,AAAA"),
        ("data:image/png;base64,AAAA", "data:image/png;base64,AAAA"),
        ("https://example.com/a.jpg", "https://example.com/a.jpg"),
    ],
)
@pytest.mark.parametrize("as_object", [True, False])
def test_an_image_is_sent_by_the_name_that_providers_know(
    sent: str, read: str, as_object: bool
) -> None:
    def picture(url: str) -> list[dict[str, Any]]:
        value = {"url": url, "detail": "low"} if as_object else url
        return user([{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": value}])

    found = messages.upstream(messages.check(picture(sent)))

    assert found == picture(read)


def test_parameters_of_a_video_are_accepted() -> None:
    url = "data:video/mp4;codecs=avc1;base64,AAAA"

    messages.check(user([{"type": "video_url", "video_url": {"url": url}}]))


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        (
            {"role": "assistant", "content": "x", "refusal": None, "tool_calls": None},
            {"role": "assistant", "content": "x"},
        ),
        (
            {"role": "assistant", "content": None, "tool_calls": [CALL], "audio": None},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
        ),
        (
            {"role": "assistant", "content": None, "refusal": "No", "function_call": None},
            {"role": "assistant", "content": None, "refusal": "No"},
        ),
        ({"role": "user", "content": "x", "name": None}, {"role": "user", "content": "x"}),
        (
            {"role": "assistant", "content": "x", "tool_calls": []},
            {"role": "assistant", "content": "x"},
        ),
        ({"role": "assistant", "content": None}, {"role": "assistant", "content": ""}),
        ({"role": "assistant", "refusal": None}, {"role": "assistant", "content": ""}),
    ],
)
def test_null_is_not_sent_on_but_as_content(message: Any, sent: Any) -> None:
    assert messages.upstream([message]) == [sent]


ADDRESSES = ["file:///etc/passwd", "ftp://example.com/a", "gopher://example.com", "//example.com"]
ADDRESSES += ["javascript:alert(1)", "https://example.com/" + "a" * 2_000_000, "example.com/a.png"]
ADDRESSES += ["http://127.0.0.1/a", "http://169.254.169.254/latest", "http://[::ffff:7f00:1]/"]
ADDRESSES += ["http://2130706433/", "http://0.0.0.0/", "http://localhost./", "http://LOCALHOST/"]
ADDRESSES += ["http://a@127.0.0.1/", "http://a@example.com/", "http://127.0.0.1\\@example.com/"]
ADDRESSES += ["http://10.0.0.1/", "http://[::1]/", "http://db/", "http://db.internal/", "http://[x"]


@pytest.mark.parametrize("url", ADDRESSES)
def test_an_address_that_is_not_public_is_no_image(url: str) -> None:
    error = refused(user([{"type": "image_url", "image_url": {"url": url}}]))

    assert (error.status, error.error_type) == (400, "invalid_image")
    assert "not allowed" in error.message
    assert error.metadata["param"] == "messages[0].content[0].image_url.url"


@pytest.mark.parametrize(
    ("url", "error_type"),
    [
        ("data:image/png;base64,***", "invalid_image"),
        ("data:image/png;base64,", "invalid_image"),
        ("data:image/svg+xml;base64,AAAA", "unsupported_image_format"),
        ("data:image/pngx;base64,AAAA", "unsupported_image_format"),
        ("data:text/html;base64,AAAA", "unsupported_image_format"),
        ("data:video/jpeg;base64,AA,AA,AA", "unsupported_image_format"),
        ("data:image/png,AAAA", "unsupported_image_format"),
        ("data:image/png;charset=utf-8,AAAA", "unsupported_image_format"),
        ("data:image/png;base64;charset=utf-8,AAAA", "unsupported_image_format"),
        ("data:image/pngbase64,AAAA", "unsupported_image_format"),
        ("data:", "unsupported_image_format"),
        ("", "invalid_image"),
    ],
)
def test_a_data_url_that_is_no_image_is_refused(url: str, error_type: str) -> None:
    error = refused(user([{"type": "image_url", "image_url": {"url": url}}]))

    assert (error.status, error.error_type) == (400, error_type)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "file", "file": {}},
        {"type": "file", "file": 5},
        {"type": "file", "file": {"file_data": 5}},
        {"type": "file", "file": {"file_data": "file:///etc/passwd"}},
        {"type": "file", "file": {"file_data": "http://127.0.0.1/a.pdf"}},
        *[
            {"type": "file", "file": {"file_data": data}}
            for data in ("data:", "data:;base64,", "data:application/pdf,AAAA", f"{PDF}%PDF-1.7")
        ],
        {"type": "input_audio", "input_audio": {"data": "AAAA"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "midi"}},
        {"type": "input_audio", "input_audio": {"data": "https://example.com", "format": "wav"}},
        {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
        {"type": "video_url", "video_url": {"url": "http://127.0.0.1/a.mp4"}},
        {"type": "video_url", "video_url": {"url": "data:video/jpeg;base64,AA,AA,AA"}},
        {"type": "video_url", "video_url": {}},
    ],
)
def test_a_file_or_a_recording_that_cannot_be_sent_is_refused(part: dict[str, Any]) -> None:
    error = refused(user([part]))

    assert (error.status, error.error_type) == (400, "invalid_prompt")
    assert error.metadata["param"].startswith("messages[0].content[0]")


@pytest.mark.parametrize("filename", [{"a": 1}, 5, "a\x00b", "x" * 1025])
def test_a_filename_is_a_short_text(filename: Any) -> None:
    error = refused(
        user([{"type": "file", "file": {"filename": filename, "file_data": PDF + "QQ=="}}])
    )

    assert (error.status, error.metadata["param"]) == (400, "messages[0].content[0].file.filename")


def test_a_file_id_names_no_file_of_the_caller() -> None:
    error = refused(user([{"type": "file", "file": {"file_id": "file-1"}}]))

    assert (error.status, error.error_type) == (404, "not_found")


@pytest.mark.parametrize("call", [UNTYPED, CALL | WITHOUT_ARGUMENTS, CALL])
def test_a_call_is_repeated_with_all_that_providers_ask_for(call: dict[str, Any]) -> None:
    spoken = {"role": "assistant", "content": None, "tool_calls": [call]}

    assert messages.upstream([spoken]) == [spoken | {"tool_calls": [CALL]}]


def test_an_answer_that_was_nothing_may_be_sent_back() -> None:
    history = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": None}]

    assert messages.check(history) == history


@pytest.mark.parametrize(
    "thought", [{"reasoning": "Hm"}, {"reasoning_content": "Hm"}, {"reasoning_details": [{}]}]
)
def test_reasoning_goes_to_nobody_who_refuses_it(thought: dict[str, Any]) -> None:
    message = {"role": "assistant", "content": None}

    [kept] = messages.upstream([message | thought])
    [dropped] = messages.upstream([message | thought], unread=messages.REASONING)

    assert kept.items() >= (message | thought).items()
    assert dropped == {"role": "assistant", "content": ""}


def test_reasoning_is_sent_by_both_of_its_names() -> None:
    [sent] = messages.upstream([{"role": "assistant", "content": "Hi", "reasoning": "Hm"}])

    assert sent["reasoning_content"] == sent["reasoning"] == "Hm"


MARKED = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}


@pytest.mark.parametrize(("cache_write", "is_sent"), [(None, False), ("0.000001", True)])
def test_marks_of_what_to_cache_go_where_writing_has_a_price(
    cache_write: str | None, is_sent: bool
) -> None:
    rates = make_rates(cache_write=cache_write)
    offer = make_offer(rates=rates)
    tool = {"type": "function", "function": {"name": "f"}, "cache_control": {"type": "ephemeral"}}
    completion = make_completion(
        messages=[{"role": "user", "content": [MARKED]}],
        tools=[tool],
        cache_control={"type": "ephemeral"},
    )

    body = orjson.loads(wire.request_body(completion, offer, None, ""))

    places = (body, body["tools"][0], body["messages"][0]["content"][0])
    assert [("cache_control" in place) for place in places] == [is_sent] * 3


def test_ids_of_calls_are_shortened_alike_on_both_sides() -> None:
    calls = [CALL | {"id": "call_0fypS1hVX"}, CALL | {"id": "Abc123xyZ"}]
    results = [{"role": "tool", "content": "4", "tool_call_id": call["id"]} for call in calls]
    history = [{"role": "assistant", "content": None, "tool_calls": calls}, *results]

    asked, first, second = messages.upstream(history, short_ids=True)

    ids = [call["id"] for call in asked["tool_calls"]]
    assert ids == [first["tool_call_id"], second["tool_call_id"]]
    assert (len(ids[0]), ids[0].isalnum(), ids[1]) == (9, True, "Abc123xyZ")


ASKED = [
    {"role": "assistant", "reasoning": "Hm", "tool_calls": [CALL]},
    {"role": "tool", "content": "4", "tool_call_id": "call_1"},
]


@pytest.mark.parametrize(
    ("model", "supported", "kept", "length"),
    [("a/one", {"reasoning"}, True, 6), ("mistralai/codestral-2508", {"tools"}, False, 9)],
)
def test_a_history_goes_out_as_its_endpoint_takes_it(
    model: str, supported: set[str], kept: bool, length: int
) -> None:
    offer = make_offer(model, supported_parameters=frozenset(supported))

    body = wire.request_body(make_completion(messages=ASKED), offer, None, "")

    asked, told = orjson.loads(body)["messages"]
    assert ("reasoning" in asked) == kept
    assert asked["tool_calls"][0]["id"] == told["tool_call_id"]
    assert len(told["tool_call_id"]) == length


def test_the_model_of_an_earlier_answer_stays_with_us() -> None:
    spoken = {"role": "assistant", "content": "Hi", "model": "a/one"}

    assert messages.upstream([spoken]) == [{"role": "assistant", "content": "Hi"}]
