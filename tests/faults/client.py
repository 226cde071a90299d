"""A client that hangs up when told to; it speaks ASGI, so that no socket adds its own timing."""

import asyncio
from typing import Any

import orjson

from tests.faults.conftest import FaultyApi


class LeavingClient:
    """Sends one completion and leaves after so many parts of its answer, or when told to."""

    def __init__(self, faulty: FaultyApi, body: dict[str, Any], leave_after: int | None) -> None:
        self._application = faulty.application
        self._body = orjson.dumps({"messages": [{"role": "user", "content": "Hello"}]} | body)
        self._secret = faulty.secret
        self._leave_after = leave_after
        self._is_sent = False
        self.left = asyncio.Event()
        self.parts: list[bytes] = []
        self.headers: dict[bytes, bytes] = {}

    async def run(self) -> None:
        async with asyncio.timeout(20):
            await self._application(self._scope(), self._receive, self._send)

    def _scope(self) -> dict[str, Any]:
        headers = {
            b"host": b"localhost",
            b"content-type": b"application/json",
            b"authorization": f"Bearer {self._secret}".encode(),
        }
        path = "/api/v1/chat/completions"
        return {
            "type": "http",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "http_version": "1.1",
            "scheme": "http",
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "headers": list(headers.items()),
        }

    async def _receive(self) -> dict[str, Any]:
        if not self._is_sent:
            self._is_sent = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.headers = dict(message["headers"])
        elif message["body"]:
            self.parts.append(message["body"])
        if len(self.parts) == self._leave_after:
            self.left.set()
            await asyncio.sleep(0)
