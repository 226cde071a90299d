"""The wire format out: the bodies we send to providers and the answers we send to clients."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import orjson

from routing import failures, messages
from routing.catalog import Offer
from routing.completion import Completion
from routing.eligibility import ALWAYS, LISTED_AS
from routing.errors import ApiError
from routing.usage import Usage

# finish_reason of the documented five; a provider's own word stays in native_finish_reason.
FINISH_REASONS = {
    "stop": "stop",
    "end_turn": "stop",
    "eos": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    # Google's, Z.ai's and DeepSeek's.
    "safety": "content_filter",
    "recitation": "content_filter",
    "blocklist": "content_filter",
    "prohibited_content": "content_filter",
    "spii": "content_filter",
    "sensitive": "content_filter",
    "error": "error",
    "network_error": "error",
    "insufficient_system_resource": "error",
}

# What of a receipt openrouter_metadata tells of the router.
ROUTER_STAGE = (
    "version",
    "tradeoff",
    "allowed",
    "excluded",
    "overrides_prevented",
    "sticky",
    "analysis",
)
SPOKEN = frozenset({"content", "reasoning", "reasoning_content", "refusal"})

# One half of a character beyond U+FFFF without the other; pairs and other escapes are passed over.
LONE_SURROGATE = re.compile(
    rb"(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\[^u])"
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)


def parsed(data: bytes) -> Any:
    """JSON of a provider; raises JSONDecodeError.

    Half a character, as where a provider cuts its text between two events, becomes U+FFFD: no
    other text of the answer is lost for it.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        mended = LONE_SURROGATE.sub(lambda match: match[1] or rb"\ufffd", data)
        if mended == data:
            raise
        return orjson.loads(mended)


def dump(data: Any) -> bytes:
    """JSON for a client; raises AttemptFailed for a provider's that is too deep to be passed on."""
    try:
        return orjson.dumps(data)
    except orjson.JSONEncodeError as error:
        raise failures.invalid("JSON that is nested too deeply") from error


def request_body(
    completion: Completion, offer: Offer, max_tokens: int | None, end_user: str
) -> bytes:
    """What an endpoint is sent: checked fields alone, under the names it knows.

    A parameter that the endpoint does not support is left out, as the API documents.
    """
    supported = offer.supported_parameters
    unread = _unread(offer)
    body: dict[str, Any] = {
        "model": offer.upstream_model,
        "messages": messages.upstream(
            completion.messages, unread=unread, short_ids=offer.model.startswith("mistralai/")
        ),
        "stream": completion.stream,
    }
    for name, value in completion.parameters.items():
        if name in ALWAYS or any(listed in supported for listed in LISTED_AS.get(name, (name,))):
            body[name] = value
    if messages.MARK in unread:
        body.pop(messages.MARK, None)
    if "tools" in body:
        body["tools"] = [messages.without_marks(tool, unread) for tool in body["tools"]]
    if "structured_outputs" in supported and "response_format" in completion.parameters:
        body["response_format"] = completion.parameters["response_format"]
    if completion.stream:
        body["stream_options"] = {"include_usage": True}
    if max_tokens is not None:
        limit = "max_tokens" if "max_tokens" in supported else "max_completion_tokens"
        body[limit] = max_tokens
    if end_user:
        body["user"] = end_user
    return orjson.dumps(_with_known_reasoning(body, supported))


def _unread(offer: Offer) -> tuple[str, ...]:
    """What an endpoint does not read in a history, and may refuse."""
    reasoning = () if "reasoning" in offer.supported_parameters else messages.REASONING
    # Who charges nothing for writing into a cache decides alone what is cached.
    return reasoning if offer.rates.cache_write is not None else (*reasoning, messages.MARK)


def _with_known_reasoning(body: dict[str, Any], supported: frozenset[str]) -> dict[str, Any]:
    """The reasoning effort in the spelling the endpoint lists; both mean the same."""
    if "reasoning" not in body and "reasoning_effort" not in body:
        return body
    others = {k: v for k, v in body.items() if k not in ("reasoning", "reasoning_effort")}
    reasoning = dict(body.get("reasoning") or {})
    effort = reasoning.get("effort") or body.get("reasoning_effort")
    if effort is not None:
        reasoning["effort"] = effort
    if "reasoning" in supported:
        return others | {"reasoning": reasoning} if reasoning else others
    return others if effort is None else others | {"reasoning_effort": effort}


def usage_object(usage: Usage, cost: Decimal, lines: list[dict[str, Any]]) -> dict[str, Any]:
    """The usage of an answer as clients read it; money as the nearest JSON number."""
    completion_cost = _part(lines, "completion")
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            "audio_tokens": usage.audio_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "cost": float(cost),
        "is_byok": False,
        "cost_details": {
            "upstream_inference_cost": None,
            "upstream_inference_prompt_cost": float(max(cost - completion_cost, Decimal(0))),
            "upstream_inference_completions_cost": float(min(completion_cost, cost)),
        },
    }


def _part(lines: list[dict[str, Any]], name: str) -> Decimal:
    return sum((Decimal(line["cost"]) for line in lines if line["class"] == name), Decimal(0))


def finish_reason(native: Any) -> str | None:
    """The documented finish reason for a provider's own; an unknown word counts as stop."""
    if not isinstance(native, str) or not native:
        return None
    return FINISH_REASONS.get(native.lower(), "stop")


class Shape:
    """Puts our id, the routed model and the provider on everything that goes to a client."""

    def __init__(self, generation_id: str, offer: Offer, created: int) -> None:
        self._head = {
            "id": generation_id,
            "provider": offer.provider_name,
            "model": offer.model,
            "created": created,
        }
        # The same for each of a stream's hundreds of chunks.
        chunk = {"object": "chat.completion.chunk", **self._head}
        self._chunk = orjson.dumps(chunk).removesuffix(b"}") + b',"choices":'

    def answer(
        self, upstream: dict[str, Any], usage: dict[str, Any], finish_reason: str
    ) -> dict[str, Any]:
        """The JSON of a whole answer, with the finish reason that was made out."""
        choices = [
            _answer_choice(choice, finish_reason) for choice in upstream.get("choices") or []
        ]
        fingerprint = upstream.get("system_fingerprint")
        body = {"object": "chat.completion", **self._head, "choices": choices}
        return body | {"system_fingerprint": fingerprint, "usage": usage}

    def chunk(self, choices: list[dict[str, Any]], **more: Any) -> bytes:
        """The JSON of one event of a stream."""
        after = b"," + orjson.dumps(more)[1:] if more else b"}"
        return self._chunk + dump(choices) + after

    def usage_chunk(self, usage: dict[str, Any], **more: Any) -> bytes:
        delta = {"role": "assistant", "content": ""}
        last = {"index": 0, "delta": delta, "finish_reason": None, "native_finish_reason": None}
        return self.chunk([last], usage=usage, **more)

    def error_chunk(self, error: ApiError) -> bytes:
        last = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
        return self.chunk([last], **error.content())


def as_chunk(answer: dict[str, Any]) -> dict[str, Any]:
    """A JSON answer as the one event of a stream."""
    choices = answer.get("choices")
    return answer | {
        "choices": [
            {name: value for name, value in choice.items() if name != "message"}
            | {"delta": _numbered(choice["message"])}
            for choice in (choices if isinstance(choices, list) else [])
            if isinstance(choice, dict) and isinstance(choice.get("message"), dict)
        ]
    }


def _numbered(message: dict[str, Any]) -> dict[str, Any]:
    """A message as a delta: its calls are whole, so each is one of its own."""
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        return message
    known = [call for call in calls if isinstance(call, dict)]
    return message | {"tool_calls": [{**call, "index": at} for at, call in enumerate(known)]}


def metadata(
    receipt: dict[str, Any], offers: Sequence[Offer], served: Offer | None, failed: Sequence[int]
) -> dict[str, Any]:
    """The openrouter_metadata of an answer or an error, for clients that ask for it by header.

    failed: the status of each attempt that did, in the order of the offers.
    """
    statuses = [*failed, 200] if served else failed
    attempts = [
        {"provider": offer.provider_name, "model": offer.model, "status": status}
        for offer, status in zip(offers, statuses, strict=False)
    ]
    available = [
        {"provider": offer.provider_name, "model": offer.model, "selected": offer is served}
        for offer in offers
    ]
    selected = f", selected={served.provider_name}" if served else ""
    skipped = {name: receipt[name] for name in ("skipped", "last_resort") if name in receipt}
    router = {name: receipt[name] for name in ROUTER_STAGE if name in receipt}
    stage = {"type": "router", "name": "auto-router", "data": router}
    return {
        "requested": receipt["requested"],
        "strategy": receipt["strategy"],
        "region": None,
        "summary": f"available={len(offers)}{selected}",
        "attempt": len(attempts),
        "is_byok": False,
        "attempts": attempts,
        "endpoints": {"total": len(offers), "available": available, **skipped},
        # Who names a model has no dial: the auto router did not run.
        "pipeline": [stage] if "tradeoff" in receipt else [],
    }


def _answer_choice(choice: dict[str, Any], finish_reason: str) -> dict[str, Any]:
    """A choice with what strict clients insist on and not every provider sends."""
    found = _choice(choice, "message", {"role": "assistant", **choice["message"]})
    return found | {"finish_reason": finish_reason}


def _choice(choice: dict[str, Any], name: str, part: dict[str, Any]) -> dict[str, Any]:
    native = choice.get("finish_reason")
    if part.get("reasoning_content") and not part.get("reasoning"):
        # As DeepSeek calls it and those after it; clients of OpenRouter read the other name alone.
        part = part | {"reasoning": part["reasoning_content"]}
    return {
        "index": 0,
        "logprobs": None,
        **choice,
        name: part,
        "finish_reason": finish_reason(native),
        "native_finish_reason": choice.get("native_finish_reason") or native,
    }


def chunk_choices(upstream: dict[str, Any]) -> list[dict[str, Any]]:
    """The choices of a streamed event with both finish reasons; anything else is dropped.

    Some say how they finished without a delta.
    """
    choices = upstream.get("choices")
    if not isinstance(choices, list):
        return []
    return [
        _choice(choice, "delta", delta)
        for choice in choices
        if isinstance(choice, dict) and isinstance(delta := choice.get("delta") or {}, dict)
    ]


def finishing_choice(finish_reason: str) -> dict[str, Any]:
    """The finish of a stream whose provider said none: SDKs fail on an answer without."""
    finish = {"finish_reason": finish_reason, "native_finish_reason": None}
    return {"index": 0, "logprobs": None, "delta": {}, **finish}


def spoken_bytes(part: dict[str, Any]) -> int:
    """How many bytes of text, reasoning and tool arguments a delta or message carries."""
    size = 0
    for name, value in part.items():
        if name in SPOKEN and isinstance(value, str):
            is_twice = name == "reasoning_content" and part.get("reasoning")
            size += 0 if is_twice else _bytes_of(value)
    calls = part.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            size += sum(_bytes_of(one) for one in function.values() if isinstance(one, str))
    return size


def _bytes_of(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
