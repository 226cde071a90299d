"""One request and what is wanted of its answer; the tables beside this file hold them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from tests.conftest import Api

PATH = "/api/v1/chat/completions"
HELLO = [{"role": "user", "content": "Hello"}]
SECRETS = ("Traceback", "SELECT ", "site-packages", ".py", "psycopg", "sk-up-credential")


@dataclass(frozen=True)
class Vector:
    """A request that differs from a good one in `fields`, or in whatever else is given.

    `kind` is the error type that is wanted; `says` is a part of the message or the parameter.
    """

    id: str
    status: int
    kind: str = ""
    says: str = ""
    fields: dict[str, Any] | None = None
    body: bytes | None = None
    headers: dict[str, Any] = field(default_factory=dict)
    method: str = "POST"
    path: str = PATH

    @property
    def wanted(self) -> str:
        return f"{self.status} {self.kind}".strip()

    def content(self) -> bytes:
        if self.body is not None:
            return self.body
        good = {"model": "openrouter/auto", "messages": HELLO}
        return orjson.dumps(good | (self.fields or {}))

    async def send(self, api: Api) -> httpx.Response:
        given = {"Authorization": f"Bearer {api.secret}", "Content-Type": "application/json"}
        chosen = {
            name: value for name, value in (given | self.headers).items() if value is not None
        }
        headers = {name: as_bytes(value, api.secret) for name, value in chosen.items()}
        return await api.client.request(
            self.method, self.path, content=self.content(), headers=headers
        )

    def outcome(self, response: httpx.Response) -> str:
        """The same words as `wanted`, and after them whatever is wrong with the answer."""
        if response.status_code < 400:
            return str(response.status_code)
        found = response.json()["error"]
        metadata = found["metadata"]
        wrong = [
            *self._wrong_headers(response),
            *(word for word in SECRETS if word in response.text),
        ]
        if found["code"] != response.status_code or not found["message"]:
            wrong.append(response.text)
        if self.says not in f"{found['message']} {metadata.get('param', '')}":
            wrong.append(found["message"])
        return " ".join([str(response.status_code), metadata["error_type"], *wrong])

    def _wrong_headers(self, response: httpx.Response) -> Iterable[str]:
        wanted = {"Content-Type": "application/json", "Cache-Control": "no-store"}
        if response.status_code == 405:
            wanted["Allow"] = "POST"
        for name, value in wanted.items():
            if response.headers.get(name) != value:
                yield f"{name}: {response.headers.get(name)}"


def as_bytes(value: str | bytes, secret: str) -> bytes:
    raw = value if isinstance(value, bytes) else value.encode()
    return raw.replace(b"@KEY@", secret.encode())


def shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:60]}... {text[-10:]} of {len(text)}"


def bad(name: str, value: Any, says: str | None = None, kind: str = "invalid_request") -> Vector:
    """A field that is refused with a 400, by its name unless another is given."""
    says = name if says is None else says
    return Vector(f"{name}={shown(value)}", 400, kind, says, {name: value})


def good(name: str, value: Any) -> Vector:
    return Vector(f"{shown(name)}={shown(value)}", 200, fields={name: value})


def message(kind: str = "invalid_prompt", says: str = "messages[0]", **fields: Any) -> Vector:
    """A conversation of one message that is refused."""
    return Vector(f"message {shown(fields)}", 400, kind, says, {"messages": [fields]})
