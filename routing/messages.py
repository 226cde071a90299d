"""What a conversation may contain: roles, text, images, files, audio and video."""

import binascii
import re
from collections.abc import Collection
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from routing.errors import InvalidRequest, NotFound
from routing.fields import refuse, text
from routing.validators import is_private_host

ROLES = ("system", "developer", "user", "assistant", "tool")
MOST_MESSAGES = 2000
LONGEST_URL = 8192
LONGEST_NAME = 1024
# Some providers keep a signature of their reasoning in the id of a call.
LONGEST_ID = 4096
LONGEST = {"name": 256, "tool_call_id": LONGEST_ID, "model": 256}
# What an assistant may have said instead of any content.
SAID_INSTEAD = {
    "refusal": str,
    "reasoning": str,
    "reasoning_content": str,
    "reasoning_details": list,
    "tool_calls": list,
}
REASONING = ("reasoning", "reasoning_content", "reasoning_details")
MARK = "cache_control"
NO_ARGUMENTS = "{}"
SHORT_ID = re.compile(r"[a-zA-Z0-9]{9}")
AUDIO_FORMATS = ("wav", "mp3", "aiff", "aac", "ogg", "flac", "m4a", "pcm16", "pcm24")
IMAGE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif")
# Common, and no registered type: providers know it by the other name.
KNOWN_AS = {"image/jpg": "image/jpeg"}


def check(messages: Any) -> list[dict[str, Any]]:
    """The messages of a request; raises InvalidRequest for the first that cannot be sent."""
    if not isinstance(messages, list) or not messages:
        refuse("messages", messages, "a non-empty array of messages")
    if len(messages) > MOST_MESSAGES:
        raise InvalidRequest(
            f"messages holds {len(messages)} messages; up to {MOST_MESSAGES} are accepted.",
            param="messages",
        )
    for index, message in enumerate(messages):
        _check_message(f"messages[{index}]", message)
    if not any(_has_content(message) for message in messages):
        _invalid("messages", "hold some content; every message is empty")
    return messages


def upstream(
    messages: list[dict[str, Any]], *, unread: Collection[str] = (), short_ids: bool = False
) -> list[dict[str, Any]]:
    """The messages without our own extension, the `model` of an assistant message.

    Calls get what their clients may leave out and providers ask for: a type, and arguments.
    Images go by the type that providers know. SDKs send null, or an empty list of calls, for what
    their answers did not have, which some providers refuse; only as content null says something.
    What the endpoint does not read, such as reasoning of another model, it may refuse as well.
    """
    dropped = {"model", *unread}
    sent = [_sent(message, dropped) if _is_odd(message) else message for message in messages]
    return [_with_short_ids(message) for message in sent] if short_ids else sent


def _is_odd(message: dict[str, Any]) -> bool:
    """Whether it is more than a role and a text, as nearly all messages are."""
    return len(message) > 2 or not isinstance(message.get("content"), str)


def _sent(message: dict[str, Any], dropped: Collection[str]) -> dict[str, Any]:
    sent = {
        key: value
        for key, value in message.items()
        if key == "content" or (key not in dropped and value not in (None, []))
    }
    if sent.get("content") is None and not _said_instead(sent):
        sent["content"] = ""
    if "reasoning" in sent:
        # Kimi refuses calls without it, and clients of OpenRouter know the other name alone.
        sent.setdefault("reasoning_content", sent["reasoning"])
    if calls := message.get("tool_calls"):
        sent["tool_calls"] = [_sent_call(call) for call in calls]
    if isinstance(content := message.get("content"), list):
        sent["content"] = [_sent_part(without_marks(part, dropped)) for part in content]
    return sent


def without_marks(value: dict[str, Any], unread: Collection[str]) -> dict[str, Any]:
    """A part, or a tool, without the mark of what to cache, where that is not read."""
    if MARK not in value or MARK not in unread:
        return value
    return {name: one for name, one in value.items() if name != MARK}


def _sent_part(part: dict[str, Any]) -> dict[str, Any]:
    if part["type"] != "image_url":
        return part
    value = part["image_url"]
    is_object = isinstance(value, dict)
    url = _sent_image(value["url"] if is_object else value)
    return part | {"image_url": value | {"url": url} if is_object else url}


def _sent_image(url: str) -> str:
    if not url.startswith("data:"):
        return url
    comma = url.index(",")
    media_type = _media_type(url[:comma])
    known = f"data:{KNOWN_AS.get(media_type, media_type)};base64"
    return url if url[:comma] == known else known + url[comma:]


def _sent_call(call: dict[str, Any]) -> dict[str, Any]:
    function = call["function"]
    arguments = function.get("arguments") or NO_ARGUMENTS
    return call | {"type": "function", "function": function | {"arguments": arguments}}


def _with_short_ids(message: dict[str, Any]) -> dict[str, Any]:
    """Mistral refuses every id of a call that it could not have given itself."""
    if calls := message.get("tool_calls"):
        return message | {"tool_calls": [call | {"id": _short(call["id"])} for call in calls]}
    if call_id := message.get("tool_call_id"):
        return message | {"tool_call_id": _short(call_id)}
    return message


def _short(call_id: str) -> str:
    """The same for the same, so that call and result still belong together."""
    if SHORT_ID.fullmatch(call_id):
        return call_id
    return sha256(call_id.encode("utf-8", "surrogatepass")).hexdigest()[:9]


def _invalid(field: str, problem: str) -> None:
    raise InvalidRequest(f"{field} must {problem}.", error_type="invalid_prompt", param=field)


def _check_message(field: str, message: Any) -> None:
    if not isinstance(message, dict):
        refuse(field, message, "an object with role and content", error_type="invalid_prompt")
    role = message.get("role")
    if role not in ROLES:
        refuse(f"{field}.role", role, "one of " + ", ".join(ROLES), error_type="invalid_prompt")
    for name, longest in LONGEST.items():
        if message.get(name) is not None:
            text(f"{field}.{name}", message[name], longest)
    if message.get("tool_calls") is not None:
        _check_calls(f"{field}.tool_calls", message["tool_calls"])
    if role == "tool" and not message.get("tool_call_id"):
        _invalid(f"{field}.tool_call_id", "name the call that this message answers")
    _check_content(f"{field}.content", role, message)


def _check_calls(field: str, calls: Any) -> None:
    if not isinstance(calls, list):
        refuse(field, calls, "an array of tool calls", error_type="invalid_prompt")
    for index, call in enumerate(calls):
        _check_call(f"{field}[{index}]", call)


def _check_call(field: str, call: Any) -> None:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        accepted = "a call with the name of its function"
        refuse(field, call, accepted, error_type="invalid_prompt")
    # Some clients leave the type out; there is only this one.
    if call.get("type") not in (None, "", "function"):
        refuse(f"{field}.type", call["type"], "function", error_type="invalid_prompt")
    if not isinstance(call.get("id"), str) or not 0 < len(call["id"]) <= LONGEST_ID:
        accepted = f"a name of up to {LONGEST_ID} characters that the answer to the call repeats"
        refuse(f"{field}.id", call.get("id"), accepted, error_type="invalid_prompt")
    if function.get("arguments") is not None:
        _check_text(f"{field}.function.arguments", function["arguments"])


def _check_content(field: str, role: str, message: dict[str, Any]) -> None:
    content = message.get("content")
    if isinstance(content, str):
        return
    if content is None:
        # An answer may have been nothing at all; it is sent back as it came.
        if role != "assistant":
            _invalid(field, "be a string or an array of parts")
        return
    if not isinstance(content, list) or not content:
        accepted = "a string or a non-empty array of parts"
        refuse(field, content, accepted, error_type="invalid_prompt")
    for index, part in enumerate(content):
        _check_part(f"{field}[{index}]", role, part)


def _said_instead(message: dict[str, Any]) -> bool:
    return any(
        isinstance(message.get(name), kind) and message[name] for name, kind in SAID_INSTEAD.items()
    )


def _check_part(field: str, role: str, part: Any) -> None:
    kind = part.get("type") if isinstance(part, dict) else None
    parts = PARTS_OF_ANSWERS if role == "assistant" else PARTS
    check_kind = parts.get(kind) if isinstance(kind, str) else None
    if check_kind is None:
        accepted = "a part of type " + ", ".join(parts)
        refuse(field, part, accepted, error_type="invalid_prompt")
    check_kind(f"{field}.{kind}", part.get(kind))


def _check_text(field: str, value: Any) -> None:
    if not isinstance(value, str):
        refuse(field, value, "a string", error_type="invalid_prompt")


def _check_image(field: str, value: Any) -> None:
    _check_address(field, value, "invalid_image", IMAGE_TYPES)


def _check_video(field: str, value: Any) -> None:
    _check_address(field, value, "invalid_prompt", ("video/",))


def _check_address(field: str, value: Any, error_type: str, media_types: tuple[str, ...]) -> None:
    url = value.get("url") if isinstance(value, dict) else value
    if not isinstance(url, str) or not url:
        accepted = "an object with a url"
        refuse(field, value, accepted, error_type=error_type)
    if url.startswith("data:"):
        _check_data_url(field, url, error_type, media_types)
    elif not is_public_url(url):
        raise InvalidRequest(
            f"{field}.url is not allowed; send a public http(s) address or a data URL.",
            error_type=error_type,
            param=f"{field}.url",
        )


def _check_data_url(field: str, url: str, error_type: str, media_types: tuple[str, ...]) -> None:
    head, comma, data = url.partition(",")
    is_known = _is_one_of(_media_type(head), media_types)
    if not comma or not head.endswith(";base64") or not is_known:
        accepted = ", ".join(media_types)
        raise InvalidRequest(
            f"{field}.url must be a base64 data URL of type {accepted}, not {head[:60]!r}.",
            error_type="unsupported_image_format" if error_type == "invalid_image" else error_type,
            param=f"{field}.url",
        )
    if not is_base64(data):
        message = f"{field}.url holds data that is not base64."
        raise InvalidRequest(message, error_type=error_type, param=f"{field}.url")


def _media_type(head: str) -> str:
    """What the beginning of a data URL says of its type, without parameters."""
    return head.removeprefix("data:").partition(";")[0].lower()


def _is_one_of(media_type: str, accepted: tuple[str, ...]) -> bool:
    """Whether it is one of these types, or of a kind such as video/."""
    kind = KNOWN_AS.get(media_type, media_type)
    return any(kind == one or (one.endswith("/") and kind.startswith(one)) for one in accepted)


def _check_file(field: str, value: Any) -> None:
    if isinstance(value, dict) and value.get("file_id") is not None:
        # It would name a file of the operator's account at the provider, whoever asks.
        raise NotFound(
            f"{field}.file_id names no file of yours; send file_data.", param=f"{field}.file_id"
        )
    data = value.get("file_data") if isinstance(value, dict) else None
    if not isinstance(data, str) or not data:
        refuse(field, value, "an object with file_data", error_type="invalid_prompt")
    if value.get("filename") is not None:
        text(f"{field}.filename", value["filename"], LONGEST_NAME)
    if not (_is_data_url(data) if data.startswith("data:") else is_public_url(data)):
        _invalid(f"{field}.file_data", "be a base64 data URL or a public http(s) address")


def _is_data_url(url: str) -> bool:
    head, _, data = url.partition(",")
    return head.endswith(";base64") and is_base64(data)


def _check_audio(field: str, value: Any) -> None:
    if not isinstance(value, dict) or not isinstance(value.get("data"), str):
        refuse(field, value, "an object with data and format", error_type="invalid_prompt")
    if value.get("format") not in AUDIO_FORMATS:
        accepted = "one of " + ", ".join(AUDIO_FORMATS)
        refuse(f"{field}.format", value.get("format"), accepted, error_type="invalid_prompt")
    if not is_base64(value["data"]):
        _invalid(f"{field}.data", "be base64")


PARTS = {
    "text": _check_text,
    "image_url": _check_image,
    "file": _check_file,
    "input_audio": _check_audio,
    "video_url": _check_video,
    "input_video": _check_video,
}
PARTS_OF_ANSWERS = PARTS | {"refusal": _check_text}


def is_base64(data: str) -> bool:
    try:
        binascii.a2b_base64(data.encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError):
        return False
    return bool(data)


def is_public_url(url: str) -> bool:
    """Whether a provider may be asked to fetch it; we never fetch it ourselves."""
    if len(url) > LONGEST_URL or "\\" in url or not url.isprintable():
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and parts.username is None
        and not is_private_host(parts.hostname or "")
    )


def _has_content(message: dict[str, Any]) -> bool:
    content = message.get("content")
    if isinstance(content, list):
        content = any(part["type"] != "text" or part["text"] for part in content)
    return bool(content) or _said_instead(message)
