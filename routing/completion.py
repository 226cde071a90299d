"""The wire format in: a request's bytes and headers as one typed completion."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

import orjson

from routing import fields, messages, preferences
from routing.errors import InvalidRequest
from routing.preferences import PluginRequest, ProviderPreferences

LONGEST_MODEL = 200
MOST_MODELS = 32
LONGEST_SESSION = 256
SESSION_HEADERS = ("x-session-id", "x-session-affinity")
# The second is its older name, which older SDKs still send.
METADATA_HEADERS = ("x-openrouter-metadata", "x-openrouter-experimental-metadata")
MOST_TOOLS = 128
LARGEST_SCHEMA_BYTES = 1024 * 1024
MOST_METADATA, LONGEST_METADATA_KEY, LONGEST_METADATA = 16, 64, 512
HIGHEST_TOKENS = 2**31 - 1
EFFORTS = ("max", "xhigh", "high", "medium", "low", "minimal", "none")
SERVICE_TIERS = ("auto", "default", "fast", "flex", "priority", "scale")
ABOUT_TOOLS = ("tools", "tool_choice", "parallel_tool_calls")
TOOL_CHOICES = ("function", "allowed_tools")
LONGEST_NAME = 128
RESPONSE_FORMATS = ("text", "json_object", "json_schema")
# Fields that would send our request, or a credential, somewhere else.
ADDRESSES = ("api_base", "base_url", "api_key", "extra_headers")

Check = Callable[[str, Any], Any]


@dataclass(frozen=True, slots=True)
class Session:
    """How a conversation is recognised; an explicit kind pins on the first success."""

    kind: str
    id: str

    @property
    def explicit(self) -> bool:
        return self.kind != "fingerprint"


@dataclass(frozen=True, slots=True)
class Completion:
    """What a client asks of us, checked."""

    # Each with the field that names it; in order.
    models: dict[str, str]
    messages: list[dict[str, Any]]
    stream: bool
    parameters: dict[str, Any]
    max_tokens: int | None
    plugin: PluginRequest
    provider: ProviderPreferences
    session: Session
    end_user: str
    prompt_bytes: int
    metadata: bool

    @property
    def requested(self) -> str:
        return next(iter(self.models))

    @property
    def tools(self) -> list[dict[str, Any]]:
        return self.parameters.get("tools") or []

    @property
    def response_format(self) -> str:
        return str((self.parameters.get("response_format") or {}).get("type", "text"))


def parse(body: bytes, headers: Mapping[str, str]) -> Completion:
    """A checked completion; raises InvalidRequest for the first thing that is wrong.

    headers: by lower-case name.
    """
    request = fields.read(body)
    _refuse_unsupported(request)
    checked = messages.check(request.get("messages"))
    for name, check in IGNORED.items():
        if request.get(name) is not None:
            check(name, request[name])
    return Completion(
        models=_models(request),
        messages=checked,
        stream=_stream(request.get("stream")),
        parameters=_parameters(request),
        max_tokens=_max_tokens(request),
        plugin=preferences.plugin(request.get("plugins")),
        provider=preferences.provider(request.get("provider")),
        session=_session(request, headers, checked),
        end_user=_optional_text(request, "user", 256),
        prompt_bytes=len(body),
        metadata=any(headers.get(name, "").lower() == "enabled" for name in METADATA_HEADERS),
    )


def _refuse_unsupported(request: dict[str, Any]) -> None:
    for name in ADDRESSES:
        if name in request:
            message = f"{name} is not accepted; providers are configured on the server."
            raise InvalidRequest(message, param=name)
    if request.get("messages") is None and "prompt" in request:
        raise InvalidRequest(
            "prompt is not supported; send messages, such as "
            '[{"role": "user", "content": "Hello"}].',
            param="messages",
        )
    if request.get("preset") is not None:
        # It may hold restrictions: a request without them would go where it must not.
        message = "preset is not supported; send what it holds in the request itself."
        raise InvalidRequest(message, param="preset")


def _models(request: dict[str, Any]) -> dict[str, str]:
    """The model to try first and the fallbacks after it, each with the first field to name it."""
    named = [] if request.get("model") is None else [("model", request["model"])]
    if (fallbacks := request.get("models")) is not None:
        slugs = fields.texts("models", fallbacks, LONGEST_MODEL, MOST_MODELS)
        named += [(f"models[{index}]", slug) for index, slug in enumerate(slugs)]
    if not named:
        raise InvalidRequest(
            "No models provided; send model, such as openrouter/auto.", param="model"
        )
    found: dict[str, str] = {}
    for name, value in named:
        found.setdefault(_slug(name, value), name)
    return found


def _slug(name: str, value: Any) -> str:
    slug = fields.text(name, value, LONGEST_MODEL).strip().lower()
    if not slug:
        fields.refuse(name, value, "a model's slug, such as openrouter/auto")
    return slug


def _stream(value: Any) -> bool:
    return False if value is None else fields.boolean("stream", value)


def _max_tokens(request: dict[str, Any]) -> int | None:
    """The smaller of the two names that the limit goes by."""
    given = [
        fields.integer(name, request[name], 1, HIGHEST_TOKENS)
        for name in ("max_tokens", "max_completion_tokens")
        if request.get(name) is not None
    ]
    return min(given, default=None)


def _parameters(request: dict[str, Any]) -> dict[str, Any]:
    """The fields that are forwarded as they are, each checked; null counts as absent."""
    found = {
        name: check(name, request[name])
        for name, check in FORWARDED.items()
        if request.get(name) is not None
    }
    if found.get("tools"):
        return found
    choice = found.get("tool_choice", "auto")
    if choice not in ("auto", "none"):
        fields.refuse("tool_choice", choice, "auto or none where no tools are sent")
    # Without tools they say nothing, and OpenAI refuses each of them.
    return {name: value for name, value in found.items() if name not in ABOUT_TOOLS}


def _optional_text(request: dict[str, Any], name: str, longest: int) -> str:
    value = request.get(name)
    return "" if value is None else fields.text(name, value, longest)


def _session(
    request: dict[str, Any], headers: Mapping[str, str], checked: list[dict[str, Any]]
) -> Session:
    candidates = (
        ("session_id", request.get("session_id")),
        *((name, headers.get(name)) for name in SESSION_HEADERS),
        ("prompt_cache_key", request.get("prompt_cache_key")),
    )
    named = [(kind, _session_id(kind, value)) for kind, value in candidates if value is not None]
    for kind, session_id in named:
        if session_id:
            return Session(kind, session_id)
    return Session("fingerprint", _fingerprint(checked))


def _session_id(kind: str, value: Any) -> str:
    session_id = fields.text(kind, value, LONGEST_SESSION)
    # A header's bytes have no encoding; what one client means by them another would not.
    if kind in SESSION_HEADERS and not session_id.isascii():
        fields.refuse(kind, value, "ASCII; send session_id in the body for any other character")
    return session_id


def _fingerprint(checked: list[dict[str, Any]]) -> str:
    """A conversation's opening: its first system or developer and first other message."""
    instructions = ("system", "developer")
    opening = (
        next((m for m in checked if m["role"] in instructions), None),
        next((m for m in checked if m["role"] not in instructions), None),
    )
    contents = [None if m is None else [m["role"], _said(m.get("content"))] for m in opening]
    return sha256(orjson.dumps(contents, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _said(content: Any) -> Any:
    """A content however it is written: clients move their cache marks on with every turn."""
    if not isinstance(content, list):
        return content
    parts = [{k: v for k, v in part.items() if k != "cache_control"} for part in content]
    is_text = len(parts) == 1 and parts[0].keys() == {"type", "text"}
    return parts[0]["text"] if is_text else parts


def end_user_hash(secret: str, user_id: int, end_user: str) -> str:
    """The client's end user as a provider may see it: stable for a tenant, and no name."""
    message = f"{user_id}\n{end_user}".encode()
    return hmac.digest(secret.encode(), message, "sha256").hex()


def _number(low: float, high: float) -> Check:
    return partial(fields.number, low=low, high=high)


def _integer(low: int, high: int) -> Check:
    return partial(fields.integer, low=low, high=high)


def _stop(name: str, value: Any) -> Any:
    if isinstance(value, str) and value:
        return value
    if not isinstance(value, list) or not 1 <= len(value) <= 4 or not all(map(_is_text, value)):
        fields.refuse(name, value, "a non-empty string or an array of up to 4 of them")
    return value


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _tools(name: str, value: Any) -> Any:
    if not isinstance(value, list) or len(value) > MOST_TOOLS:
        fields.refuse(name, value, f"an array of up to {MOST_TOOLS} tools")
    for index, tool in enumerate(value):
        _check_tool(f"{name}[{index}]", tool)
    return _of_bounded_size(name, value)


def _of_bounded_size(name: str, value: Any) -> Any:
    if len(orjson.dumps(value)) > LARGEST_SCHEMA_BYTES:
        raise InvalidRequest(f"{name} must be at most {LARGEST_SCHEMA_BYTES} bytes.", param=name)
    return value


def _check_tool(name: str, tool: Any) -> None:
    fields.mapping(name, tool)
    fields.one_of(f"{name}.type", tool.get("type"), ("function",))
    function = fields.mapping(f"{name}.function", tool.get("function"))
    _check_name(f"{name}.function.name", function.get("name"))
    if function.get("parameters") is not None:
        fields.mapping(f"{name}.function.parameters", function["parameters"])


def _tool_choice(name: str, value: Any) -> Any:
    if not isinstance(value, dict):
        return fields.one_of(name, value, ("none", "auto", "required"))
    if fields.one_of(f"{name}.type", value.get("type"), TOOL_CHOICES) == "function":
        function = fields.mapping(f"{name}.function", value.get("function"))
        _check_name(f"{name}.function.name", function.get("name"))
    return value


def _check_name(field: str, value: Any) -> None:
    if not fields.text(field, value, LONGEST_NAME):
        fields.refuse(field, value, "a name")


def _response_format(name: str, value: Any) -> Any:
    fields.mapping(name, value)
    fields.one_of(f"{name}.type", value.get("type"), RESPONSE_FORMATS)
    if value["type"] == "json_schema":
        wanted = fields.mapping(f"{name}.json_schema", value.get("json_schema"))
        if wanted.get("name") is not None:
            _check_name(f"{name}.json_schema.name", wanted["name"])
        if wanted.get("strict") is not None:
            fields.boolean(f"{name}.json_schema.strict", wanted["strict"])
        if wanted.get("schema") is not None:
            fields.mapping(f"{name}.json_schema.schema", wanted["schema"])
    return _of_bounded_size(name, value)


def _reasoning(name: str, value: Any) -> Any:
    fields.mapping(name, value)
    if value.get("effort") is not None:
        fields.one_of(f"{name}.effort", value["effort"], EFFORTS)
    if value.get("max_tokens") is not None:
        fields.integer(f"{name}.max_tokens", value["max_tokens"], 1, HIGHEST_TOKENS)
    for flag in ("enabled", "exclude"):
        if value.get(flag) is not None:
            fields.boolean(f"{name}.{flag}", value[flag])
    return value


def _modalities(name: str, value: Any) -> Any:
    for modality in fields.texts(name, value, 20, 3):
        fields.one_of(name, modality, ("text", "image", "audio"))
    return value


def _metadata(name: str, value: Any) -> None:
    fields.mapping(name, value)
    if len(value) > MOST_METADATA:
        raise InvalidRequest(f"{name} must hold at most {MOST_METADATA} pairs.", param=name)
    for key, entry in value.items():
        if len(key) > LONGEST_METADATA_KEY:
            fields.refuse(name, key, f"keyed by at most {LONGEST_METADATA_KEY} characters")
        if not isinstance(entry, str) or len(entry) > LONGEST_METADATA:
            accepted = f"a string of up to {LONGEST_METADATA} characters"
            fields.refuse(f"{name}.{key}", entry, accepted)


def _logit_bias(name: str, value: Any) -> Any:
    for token, bias in fields.mapping(name, value).items():
        fields.number(f"{name}.{token[: fields.SHOWN_CHARACTERS]}", bias, -100, 100)
    return value


def _one_answer(name: str, value: Any) -> int:
    if fields.integer(name, value, 1) != 1:
        fields.refuse(name, value, "1; ask again for another answer")
    return 1


FORWARDED: dict[str, Check] = {
    "temperature": _number(0, 2),
    "top_p": _number(0, 1),
    "top_k": _integer(0, HIGHEST_TOKENS),
    "top_a": _number(0, 1),
    "min_p": _number(0, 1),
    "frequency_penalty": _number(-2, 2),
    "presence_penalty": _number(-2, 2),
    "repetition_penalty": _number(0, 2),
    "seed": _integer(-(2**63), 2**63 - 1),
    "n": _one_answer,
    "stop": _stop,
    "logit_bias": _logit_bias,
    "logprobs": fields.boolean,
    "top_logprobs": _integer(0, 20),
    "tools": _tools,
    "tool_choice": _tool_choice,
    "parallel_tool_calls": fields.boolean,
    "response_format": _response_format,
    "reasoning": _reasoning,
    "reasoning_effort": partial(fields.one_of, choices=EFFORTS),
    "include_reasoning": fields.boolean,
    "verbosity": partial(fields.one_of, choices=("low", "medium", "high", "xhigh", "max")),
    "modalities": _modalities,
    "image_config": fields.mapping,
    "prediction": fields.mapping,
    "web_search_options": fields.mapping,
    "cache_control": fields.mapping,
    "service_tier": partial(fields.one_of, choices=SERVICE_TIERS),
}

# Documented fields that change nothing here; a wrong one is still the client's mistake.
IGNORED: dict[str, Check] = {
    "metadata": _metadata,
    "route": partial(fields.one_of, choices=("fallback", "sort")),
    "transforms": partial(fields.texts, longest=100, most=10),
}
