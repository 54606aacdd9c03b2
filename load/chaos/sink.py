"""A server in Plausible's place that notes every event it counts, in the order of arrival, and fails when told.

An event is counted when its request came whole, as Plausible would: also when the answer is then withheld. How it
can fail stands in moods.py. It listens twice, the second time with TLS if there are certificates.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, cast

import httptools
import orjson

from load.chaos.moods import COUNTS, LEAVES_OPEN, NOT_READ, Mood, answer_of
from load.chaos.ports import free_port
from load.chaos.tls import Certificates

ANSWER_S: Final = 0.02  # as a real one would take: so whatever is killed or stopped has something under way
SLOW_S: Final = 0.5
STRANGER: Final = b"stranger "
"""A User-Agent that begins so goes on with the event's name: nobody can tell it by a body that was damaged."""


@dataclass(slots=True)
class Arrival:
    """One event as it was counted: its name, and when (monotonic seconds)."""

    name: str
    at_s: float


@dataclass(slots=True)
class Sink:
    """The server. `requests` counts all that came whole, counted as events or not."""

    certificates: Certificates | None = None
    mood: Mood = Mood.FINE
    poison: set[str] = field(default_factory=set)
    """Names of the events at which it crashes, whatever its mood, and which it never counts."""
    crashed_at: set[str] = field(default_factory=set)
    """Those of them that came."""
    arrivals: list[Arrival] = field(default_factory=list)
    newest: dict[int, int] = field(default_factory=dict)
    """Visitor → the highest number that arrived."""
    left_open: Counter[str] = field(default_factory=Counter)
    """How often each event was counted and not answered."""
    requests: int = 0
    says_no_tls: bool = False
    """Whether, from the next start on, it answers to TLS as if it were none."""
    connections: set[_Connection] = field(default_factory=set)
    _ports: tuple[int, int] = field(default_factory=lambda: (free_port(), free_port()))
    _servers: list[asyncio.Server] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._ports[0]}"

    @property
    def secure_url(self) -> str:
        """Where it listens with TLS, or else without."""
        return f"https://127.0.0.1:{self._ports[1]}" if self.certificates else self.url

    async def start(self) -> None:
        """Listen on loopback, where it listened before."""
        loop = asyncio.get_running_loop()
        port, secure_port = self._ports
        self._servers = [await loop.create_server(lambda: _Connection(self), "127.0.0.1", port)]
        if self.certificates is not None:
            tls = None if self.says_no_tls else self.certificates.context
            speaking = _NoTls if self.says_no_tls else lambda: _Connection(self)
            self._servers.append(await loop.create_server(speaking, "127.0.0.1", secure_port, ssl=tls))

    def stop(self) -> None:
        """Listen no more: whoever connects is refused. Connections stay."""
        for server in self._servers:
            server.close()

    def cut(self) -> None:
        """End every connection. What was counted and not yet answered is left open."""
        for connection in list(self.connections):
            connection.cut()

    def name_of(self, agent: bytes, body: bytes, /) -> str:
        """The event's name, by its User-Agent and body."""
        if agent.startswith(STRANGER):
            return agent.removeprefix(STRANGER).decode()
        name: str = orjson.loads(body)["name"]
        return name

    def came(self, name: str) -> Mood:
        """A request came whole: count it as the mood says; how to answer it."""
        self.requests += 1
        if name in self.poison:
            self.crashed_at.add(name)
            return Mood.CRASHING
        if self.mood in COUNTS:
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
        self._agent = b""
        self._is_deaf = False
        self._unanswered: str | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._sink.connections.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._sink.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        if self._sink.mood in NOT_READ:
            self._is_deaf = True
            if self._sink.mood is Mood.RESET_BEFORE:
                self._abort()
        if not self._is_deaf:
            self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._body = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        if name == b"User-Agent":
            self._agent = value

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        name = self._sink.name_of(self._agent, self._body)
        match self._sink.came(name):
            case Mood.RESET_AFTER:
                self._abort()
            case Mood.HANG:
                pass
            case mood:
                self._unanswered = name if mood in COUNTS - LEAVES_OPEN else None
                wait_s = SLOW_S if mood is Mood.SLOW else ANSWER_S
                asyncio.get_running_loop().call_later(wait_s, self._answer, answer_of(mood))

    def _answer(self, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)
            self._unanswered = None

    def cut(self) -> None:
        """End it now, amid whatever it does."""
        if self._unanswered is not None:
            self._sink.left_open[self._unanswered] += 1
            self._unanswered = None
        self._abort()

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class _NoTls(asyncio.Protocol):
    """Answers to the first bytes of TLS as a plain server would."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, _: bytes) -> None:
        self._transport.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        self._transport.close()
