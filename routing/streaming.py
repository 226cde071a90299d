"""Server-sent events: the lines of an upstream stream in, the events of ours out."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator

from django.http.response import HttpResponseBase

# Longer than any sane event; a line without an end must not fill the memory.
LARGEST_EVENT_BYTES = 1024 * 1024
DONE = b"[DONE]"
KEEP_ALIVE = b": OPENROUTER PROCESSING\n\n"
END = b"data: [DONE]\n\n"


class EventTooLarge(Exception):
    """One event of the upstream exceeds LARGEST_EVENT_BYTES."""


class EventParser:
    """Collects bytes, however they were cut, into the data of whole events.

    Lines end in LF, CRLF or CR; comments and other fields are skipped; several data lines make
    one event; a leading byte order mark is dropped. Source: the WHATWG HTML standard, 9.2.6.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0
        self._at_start = True
        self._skip_newline = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The data of each event that this chunk completes; raises EventTooLarge."""
        if self._skip_newline and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._skip_newline = False
        buffer = self._rest + chunk
        if self._at_start and len(buffer) >= 3:
            buffer = buffer.removeprefix(b"\xef\xbb\xbf")
            self._at_start = False
        # The usual dialect has no carriage return, and one split does for the whole chunk.
        if b"\r" in buffer:
            if buffer.endswith(b"\r"):
                self._skip_newline = True
            buffer = buffer.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, self._rest = buffer.split(b"\n")
        for line in lines:
            if (event := self._line(line)) is not None:
                yield event
        if len(self._rest) + self._size > LARGEST_EVENT_BYTES:
            raise EventTooLarge

    def close(self) -> bytes | None:
        """The event that was not followed by a blank line, if there is one."""
        self._line(self._rest)
        self._rest = b""
        return self._line(b"")

    def _line(self, line: bytes) -> bytes | None:
        if not line:
            data, self._data, self._size = self._data, [], 0
            # Some send an empty event to keep the connection; it says nothing.
            return b"\n".join(data) or None
        if line.startswith(b"data:"):
            data_line = line[5:].removeprefix(b" ")
            self._data.append(data_line)
            self._size += len(data_line)
            if self._size > LARGEST_EVENT_BYTES:
                raise EventTooLarge
        return None


def event(json: bytes) -> bytes:
    return b"data: " + json + b"\n\n"


class KeepAlive:
    """Speaks up whenever nothing was said for so many seconds: one timer, however much is said."""

    def __init__(self, seconds: float, speak: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds, self._speak = seconds, speak
        self._timer = self._loop.call_later(seconds, self._look)
        self.note()

    def note(self) -> None:
        """Something was said just now."""
        self._last = self._loop.time()

    def stop(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        left = self._last + self._seconds - self._loop.time()
        if left <= 0:
            self._speak()
            self.note()
            left = self._seconds
        self._timer = self._loop.call_later(left, self._look)


class EventStreamResponse(HttpResponseBase):
    """A stream of events whose first part is already known; closing the rest ends the exchange."""

    streaming = True

    def __init__(self, first: bytes, rest: AsyncGenerator[bytes, None], generation_id: str) -> None:
        super().__init__(content_type="text/event-stream")
        self["Cache-Control"] = "no-store"
        # A buffering proxy would hold tokens back.
        self["X-Accel-Buffering"] = "no"
        self["X-Generation-Id"] = generation_id
        self.first, self.rest = first, rest
