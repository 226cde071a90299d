import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from routing.demo.app import app

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 3}},
            "required": ["city", "days"],
        },
    },
}


def make_body(text: str = "Hello there", **fields: Any) -> dict[str, Any]:
    body = {"model": "openai/gpt-5", "messages": [{"role": "user", "content": text}]}
    return body | fields


def make_turns(*texts: str) -> list[dict[str, str]]:
    """Make a conversation in which user and assistant alternate."""
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]


@dataclass(frozen=True)
class Demo:
    """A client of the demo provider, in this process."""

    http: httpx.AsyncClient

    async def post(self, text: str = "Hello there", **fields: Any) -> httpx.Response:
        return await self.http.post("/v1/chat/completions", json=make_body(text, **fields))

    async def complete(self, text: str = "Hello there", **fields: Any) -> dict[str, Any]:
        return (await self.post(text, **fields)).json()

    async def message(self, text: str = "Hello there", **fields: Any) -> dict[str, Any]:
        return (await self.complete(text, **fields))["choices"][0]["message"]

    async def events(self, text: str = "Hello there", **fields: Any) -> list[str]:
        response = await self.post(text, stream=True, **fields)
        return [event.removeprefix("data: ") for event in response.text.split("\n\n") if event]

    async def chunks(self, text: str = "Hello there", **fields: Any) -> list[dict[str, Any]]:
        return [json.loads(event) for event in await self.events(text, **fields) if event[0] == "{"]


@pytest.fixture
async def demo() -> AsyncIterator[Demo]:
    transport = httpx.ASGITransport(app=app)
    headers = {"Authorization": "Bearer any"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://demo", headers=headers
    ) as http:
        yield Demo(http)
