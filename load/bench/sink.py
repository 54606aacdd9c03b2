"""A fast server in Plausible's place, a process of its own: counts every event, and is slow or fails when told.

It answers `POST /api/event`; `PUT /mood` with JSON sets how (`Mood`), `GET /arrivals` gives what came since it was last
asked, as pairs of doubles: number, and when (seconds of the monotonic clock, which all processes share).

    .venv/bin/python -m load.bench.sink --port 8500 --board sink.board
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import time
from array import array
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, cast

import httptools
import orjson
import uvloop

from load.bench.board import Board, Field
from load.bench.events import number_of

ACCEPTED: Final = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok"
DROPPED: Final = b"HTTP/1.1 202 Accepted\r\nX-Plausible-Dropped: 1\r\nContent-Length: 2\r\n\r\nok"
FAILED: Final = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


@dataclass(slots=True)
class Mood:
    """How the sink answers: after `delay_s`; of the requests these shares fail (503), are dropped, are cut unanswered.

    `record` notes number and time of each arrival. A failed request is not counted, a cut one neither.
    """

    delay_s: float = 0.0
    fail: float = 0.0
    drop: float = 0.0
    cut: float = 0.0
    record: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether everything is counted and answered at once."""
        return not (self.delay_s or self.fail or self.drop or self.cut)


@dataclass(slots=True)
class Sink:
    """What came, and the mood."""

    board: Board
    mood: Mood = field(default_factory=Mood)
    arrivals: array[float] = field(default_factory=lambda: array("d"))
    dice: random.Random = field(default_factory=lambda: random.Random(6))

    def answer(self, body: bytes) -> bytes | None:
        """Count one event; the answer, None to cut the connection."""
        told = self.board.fields
        told[Field.REQUESTS] += 1
        mood, answer = self.mood, ACCEPTED
        if not mood.is_plain:
            thrown = self.dice.random()
            if thrown < mood.cut:
                return None
            if thrown < mood.cut + mood.fail:
                return FAILED
            if thrown < mood.cut + mood.fail + mood.drop:
                answer = DROPPED
        told[Field.COUNTED] += 1
        if mood.record:
            self.arrivals.append(number_of(body))
            self.arrivals.append(time.monotonic())
        return answer

    def told(self, target: bytes, body: bytes) -> bytes:
        """The bench's own requests."""
        said = b""
        if target == b"/mood":
            known = {one.name for one in fields(Mood)}
            self.mood = Mood(**{name: value for name, value in orjson.loads(body).items() if name in known})
        else:
            said, self.arrivals = self.arrivals.tobytes(), array("d")
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said)


class _Connection(asyncio.Protocol):
    """One connection. Answers leave in the order of the requests."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._feed = httptools.HttpRequestParser(self).feed_data
        self._target = self._body = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        told = self._sink.board.fields
        told[Field.CONNECTIONS] += 1
        told[Field.OPEN] += 1
        told[Field.MOST_OPEN] = max(told[Field.MOST_OPEN], told[Field.OPEN])

    def connection_lost(self, _: Exception | None) -> None:
        self._sink.board.fields[Field.OPEN] -= 1

    def data_received(self, data: bytes) -> None:
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def on_url(self, target: bytes) -> None:
        self._target += target

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        target, body = self._target, self._body
        self._target = self._body = b""
        if target != b"/api/event":
            self._transport.write(self._sink.told(target, body))
            return
        answer = self._sink.answer(body)
        if answer is None:
            self._transport.abort()
        elif self._sink.mood.delay_s:
            asyncio.get_running_loop().call_later(self._sink.mood.delay_s, self._late, answer)
        else:
            self._transport.write(answer)

    def _late(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


async def serve(port: int, board: Path) -> None:
    """Serve until SIGTERM."""
    sink, loop, stopping = Sink(Board(board)), asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    server = await loop.create_server(lambda: _Connection(sink), "127.0.0.1", port, backlog=1_024)
    await stopping.wait()
    server.close()


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--board", type=Path, required=True, help="file for the counts")
    options = parser.parse_args()
    uvloop.run(serve(options.port, options.board))


if __name__ == "__main__":
    main()
