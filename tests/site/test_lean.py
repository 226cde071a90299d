import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from autorouter_site.lean import send_response
from routing.streaming import EventStreamResponse
from tests.conftest import Api

TYPES = ["http.response.start", *["http.response.body"] * 3]


class Client:
    """Takes so many messages, and then leaves or is gone."""

    def __init__(self, patience: int, error: type[BaseException] = OSError) -> None:
        self.messages: list[dict[str, Any]] = []
        self._patience, self._error = patience, error

    async def send(self, message: dict[str, Any]) -> None:
        if len(self.messages) == self._patience:
            raise self._error
        self.messages.append(message)


class Story:
    """An answer in two parts, and whether it was closed."""

    def __init__(self) -> None:
        self.is_closed = False
        # Held here, so that no collection closes it.
        self.parts = self._parts()

    async def _parts(self) -> AsyncGenerator[bytes, None]:
        try:
            yield b"once"
            yield b"upon"
        finally:
            self.is_closed = True

    async def response(self) -> EventStreamResponse:
        return EventStreamResponse(await anext(self.parts), self.parts, "gen-1")


async def test_a_connection_ends_with_an_answer_of_a_process_that_stops(api: Api) -> None:
    before = await api.complete(model="nobody/none")
    api.process.draining = True
    after = await api.complete(model="nobody/none")

    connection = [answer.headers.get("connection") for answer in (before, after)]
    assert connection == [None, "close"]


async def test_a_stream_is_sent_part_by_part_and_closed() -> None:
    client, story = Client(patience=9), Story()

    await send_response(await story.response(), client.send)

    assert [message["type"] for message in client.messages] == TYPES
    assert [message["body"] for message in client.messages[1:]] == [b"once", b"upon", b""]
    assert story.is_closed


@pytest.mark.parametrize("error", [OSError, asyncio.CancelledError])
@pytest.mark.parametrize("patience", [0, 1, 2, 3])
async def test_who_leaves_at_whatever_message_closes_the_stream(
    patience: int, error: type[BaseException]
) -> None:
    client, story = Client(patience, error), Story()
    response = await story.response()

    with pytest.raises(error):
        await send_response(response, client.send)

    assert story.is_closed
