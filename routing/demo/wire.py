"""An answer in the wire format of OpenAI's chat completions: one body, or chunks."""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from routing.demo.answer import Answer, ToolCall, compose
from routing.demo.completion import Completion
from routing.demo.errors import on_request
from routing.demo.usage import usage

Json = dict[str, Any]


@dataclass(frozen=True)
class Wire:
    """One answer with what identifies it on the wire."""

    completion: Completion
    answer: Answer
    digest: str
    created: int

    @classmethod
    def answering(cls, completion: Completion) -> "Wire":
        digest = hashlib.blake2b(completion.digest_source, digest_size=12).hexdigest()
        return cls(completion, compose(completion), digest, int(time.time()))

    def body(self) -> Json:
        answer = self.answer
        message: Json = {"role": "assistant", "content": "".join(answer.content) or None}
        if answer.finish_reason is None:
            message["content"] = ""
        if self.completion.reasoning_field:
            message[self.completion.reasoning_field] = "".join(answer.reasoning)
        if answer.tool_call:
            call = self.opened_call(answer.tool_call, "".join(answer.tool_call.arguments))
            message["tool_calls"] = [call]
        choice = {"index": 0, "message": message, "finish_reason": answer.finish_reason}
        return self.enveloped("chat.completion", [choice]) | {"usage": self.usage()}

    def chunks(self) -> Iterator[Json]:
        """Give the chunks of the stream in order, one per token between the first and the last."""
        yield self.chunk({"role": "assistant", "content": ""})
        yield from map(self.chunk, self.deltas())
        yield self.chunk({}, self.answer.finish_reason)
        if self.completion.include_usage:
            yield self.enveloped("chat.completion.chunk", []) | {"usage": self.usage()}

    def broken_chunks(self) -> Iterator[Json]:
        """Give the first tokens, then an error in place of the rest."""
        yield self.chunk({"role": "assistant", "content": ""})
        for text in self.answer.content[:2]:
            yield self.chunk({"content": text})
        yield on_request(500).envelope()

    def deltas(self) -> Iterator[Json]:
        for text in self.answer.reasoning:
            yield {self.completion.reasoning_field or "reasoning": text}
        for text in self.answer.content:
            yield {"content": text}
        if call := self.answer.tool_call:
            yield {"tool_calls": [{"index": 0, **self.opened_call(call, "")}]}
            for text in call.arguments:
                yield {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}

    def chunk(self, delta: Json, finish_reason: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        chunk = self.enveloped("chat.completion.chunk", [choice])
        # OpenAI announces usage by a null in every chunk before the one that has it.
        return chunk | {"usage": None} if self.completion.include_usage else chunk

    def enveloped(self, kind: str, choices: list[Json]) -> Json:
        return {
            "id": f"chatcmpl-demo-{self.digest}",
            "object": kind,
            "created": self.created,
            "model": self.completion.model,
            "system_fingerprint": "fp_demo",
            "choices": choices,
        }

    def opened_call(self, call: ToolCall, arguments: str) -> Json:
        function = {"name": call.name, "arguments": arguments}
        return {"id": f"call_{self.digest}", "type": "function", "function": function}

    def usage(self) -> Json:
        answer = self.answer
        return usage(self.completion, answer.completion_tokens, len(answer.reasoning))


def model_list() -> Json:
    """List the one name that stands for all: any other is answered as well."""
    model = {"id": "demo", "object": "model", "created": 0, "owned_by": "auto-router-demo"}
    return {"object": "list", "data": [model]}
