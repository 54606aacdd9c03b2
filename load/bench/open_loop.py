"""The open-loop sender, a process of its own: each event has its due time, and a late answer delays nobody.

Time counts from when an event was due, not from when it could be written: a sender that waits for a slow server and
then forgets the wait (coordinated omission) would flatter it. Every event's fate goes into a file: number, due,
answered (seconds of the monotonic clock, 0 if never), status (0 if the answer is not known).

    .venv/bin/python -m load.bench.open_loop --port 8000 --plan '[[10, 500, 500]]' --out fates.bin
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import uvloop

from load.bench import events

TICK_S: Final = 0.001
PATIENCE_S: Final = 20.0
LENGTH: Final = b"content-length:"
KINDS: Final[dict[str, events.Build]] = {
    "tracker": events.request,
    "server": events.server_request,
    "engagement": events.engagement_request,
    "wrong": events.wrong_request,
    "batch": events.batch_request,
}


def due_times(plan: Sequence[tuple[float, float, float]]) -> Iterator[float]:
    """Seconds from the start at which each event is due. A plan has stretches: seconds, rate at their begin and end."""
    began = 0.0
    for seconds, from_rate, to_rate in plan:
        count = int(seconds * (from_rate + to_rate) / 2)
        rise = (to_rate - from_rate) / seconds
        for n in range(count):
            if abs(rise) < 1e-9:  # noqa: PLR2004 - an even stretch
                yield began + n / from_rate
            else:  # the root of: from_rate * t + rise * t² / 2 = n
                yield began + ((from_rate**2 + 2 * rise * n) ** 0.5 - from_rate) / rise
        began += seconds


@dataclass(slots=True)
class Sender:
    """The connections, the events that wait for one, and every event's fate so far."""

    port: int
    build: events.Build
    most: int
    first: int = 0
    fates: array[float] = field(default_factory=lambda: array("d"))
    free: deque[_Connection] = field(default_factory=deque)
    waiting: deque[tuple[int, float]] = field(default_factory=deque)
    opened: int = 0
    under_way: int = 0
    _opening: set[asyncio.Task[Any]] = field(default_factory=set)

    async def run(self, due_s: Sequence[float]) -> None:
        """Send each event when it is due; then wait for the answers that are out."""
        began_s, at = time.monotonic() + 0.2, 0
        while at < len(due_s):
            passed_s = time.monotonic() - began_s
            while at < len(due_s) and due_s[at] <= passed_s:
                self.send(self.first + at, began_s + due_s[at])
                at += 1
            await asyncio.sleep(TICK_S)
        deadline_s = time.monotonic() + PATIENCE_S
        while self.under_way and time.monotonic() < deadline_s:  # noqa: ASYNC110 - once, at the end
            await asyncio.sleep(0.01)
        for connection in list(self.free):
            connection.close()

    def send(self, number: int, due_s: float) -> None:
        """Send it over a free connection, or a new one, or as soon as one is free."""
        self.under_way += 1
        if self.free:
            self.free.popleft().send(number, due_s, self.build(number, self.port))
            return
        self.waiting.append((number, due_s))
        if self.opened < self.most:
            self.opened += 1
            task = asyncio.ensure_future(self._open())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self.port)
        except OSError:
            self.opened -= 1
            if self.waiting:
                self.ended(*self.waiting.popleft(), status=0)

    def ended(self, number: int, due_s: float, status: int) -> None:
        """An event has its answer, or will never have one."""
        self.under_way -= 1
        self.fates.extend((number, due_s, time.monotonic() if status else 0.0, status))

    def is_free(self, connection: _Connection) -> None:
        """A connection can take the next event."""
        if self.waiting:
            number, due_s = self.waiting.popleft()
            connection.send(number, due_s, self.build(number, self.port))
        else:
            self.free.append(connection)


class _Connection(asyncio.Protocol):
    """One kept connection with at most one event under way."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._event: tuple[int, float] | None = None
        self._heard = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._sender.is_free(self)

    def send(self, number: int, due_s: float, request: bytes) -> None:
        """Write one event."""
        self._event = (number, due_s)
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, _, body = self._heard.partition(b"\r\n\r\n")
        if not _ or len(body) < _length(head):
            return
        self._heard = b""
        event, self._event = self._event, None
        if event is not None:
            self._sender.ended(*event, status=int(head[9:12]))
        if b"connection: close" in head.lower():
            self.close()
        else:
            self._sender.is_free(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._sender.opened -= 1
        if self in self._sender.free:
            self._sender.free.remove(self)
        if self._event is not None:
            self._sender.ended(*self._event, status=0)
            self._event = None

    def close(self) -> None:
        """End it."""
        self._transport.close()


def _length(head: bytes) -> int:
    low = head.lower()
    place = low.find(LENGTH)
    return int(low[place + len(LENGTH) :].split(b"\r\n", 1)[0]) if place >= 0 else 0


def main() -> None:
    """Read the options, send, write the fates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--plan", type=json.loads, required=True, help="[[seconds, from rate, to rate], …]")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kind", choices=tuple(KINDS), default="tracker")
    parser.add_argument("--first", type=int, default=0, help="number of the first event")
    parser.add_argument("--connections", type=int, default=256, help="at most")
    told = parser.parse_args()
    sender = Sender(told.port, KINDS[told.kind], told.connections, told.first)
    uvloop.run(sender.run(list(due_times(told.plan))))
    told.out.write_bytes(sender.fates.tobytes())


if __name__ == "__main__":
    main()
