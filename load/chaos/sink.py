"""A server in Plausible's place that notes every event it counts, in the order of arrival, and fails when told.

An event is counted when its request came whole, as Plausible would: also when the answer is then withheld.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, cast

import httptools
import orjson

ANSWER_S: Final = 0.02  # as a real one would take: so whatever is killed or stopped has something under way
SLOW_S: Final = 0.5


class Mood(StrEnum):
    """How the sink answers."""

    FINE = "fine"
    UNAVAILABLE = "503"
    CRASHING = "500"
    BUSY = "429 with Retry-After"
    NOT_FOUND = "404"
    REDIRECT = "302"
    SLOW = "slow"
    RESET_BEFORE = "resets before the request is whole"
    RESET_AFTER = "resets after the request"
    HANG = "never answers"
    GARBAGE = "answers no HTTP"


COUNTS: Final = frozenset({Mood.FINE, Mood.SLOW, Mood.RESET_AFTER, Mood.HANG, Mood.GARBAGE})
LEAVES_OPEN: Final = frozenset({Mood.RESET_AFTER, Mood.HANG, Mood.GARBAGE})
"""Whoever sent the event cannot know whether it was counted: its repetition is nobody's fault."""

_ANSWERS: Final[dict[Mood, bytes]] = {
    Mood.FINE: b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok",
    Mood.SLOW: b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok",
    Mood.UNAVAILABLE: b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
    Mood.CRASHING: b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
    Mood.BUSY: b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    Mood.NOT_FOUND: b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    Mood.REDIRECT: b"HTTP/1.1 302 Found\r\nLocation: https://example.com/\r\nContent-Length: 0\r\n\r\n",
    Mood.GARBAGE: b"SSH-2.0-OpenSSH_9.9\r\n",
}


@dataclass(slots=True)
class Arrival:
    """One event as it was counted: its name, and when (monotonic seconds)."""

    name: str
    at_s: float


@dataclass(slots=True)
class Sink:
    """The server. `requests` counts all that came whole, counted as events or not."""

    mood: Mood = Mood.FINE
    arrivals: list[Arrival] = field(default_factory=list)
    newest: dict[int, int] = field(default_factory=dict)
    """Visitor → the highest number that arrived."""
    left_open: Counter[str] = field(default_factory=Counter)
    """How often each event was counted and not answered."""
    requests: int = 0
    url: str = ""
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on a free port of loopback."""
        self._server = await asyncio.get_running_loop().create_server(lambda: _Connection(self), "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    def came(self, body: bytes) -> Mood:
        """A request came whole: count it as the mood says; how to answer it."""
        self.requests += 1
        if self.mood in COUNTS:
            name = orjson.loads(body)["name"]
            self.arrivals.append(Arrival(name, time.monotonic()))
            visitor, number = map(int, name.split(":"))
            self.newest[visitor] = max(number, self.newest.get(visitor, 0))
            if self.mood in LEAVES_OPEN:
                self.left_open[name] += 1
        return self.mood


class _Connection(asyncio.Protocol):
    """One connection of a worker."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._sink.mood is Mood.RESET_BEFORE:
            self._abort()
            return
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._body = b""

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        match self._sink.came(self._body):
            case Mood.RESET_AFTER | Mood.RESET_BEFORE:
                self._abort()
            case Mood.HANG:
                pass
            case mood:
                wait_s = SLOW_S if mood is Mood.SLOW else ANSWER_S
                asyncio.get_running_loop().call_later(wait_s, self._answer, _ANSWERS[mood])

    def _answer(self, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
