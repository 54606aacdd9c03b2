"""`relay replay`, log by log: read a block, judge its lines, put its events with the marks, at the pace that is set.

It may be killed at any moment and run again: what was put is known by the marks. While Redis is away it waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from relay.queue.committing import EVENTS_A_WRITE
from relay.queue.connection import AWAY, describe
from relay.queue.marked import Marks, Placed, Written
from relay.queue.waiting import UnavailableError
from relay.replay import known
from relay.replay.batch import Batch, Lines, judge
from relay.replay.opening import Opened
from relay.replay.pace import Pacer
from relay.replay.source import Log
from relay.replay.summary import Summary

T = TypeVar("T")

AWAY_FOR_S: Final = 60.0  # a server that is being restarted; longer and the replay ends, to be run again
AGAIN_S: Final = 0.5


@dataclass(slots=True)
class Replay:
    """One run into the queue. `summary` is right at any time; `stop` ends it after its step."""

    redis: Redis
    partitions: int
    pacer: Pacer
    keep_ms: int
    """How long an id of an event is known."""
    summary: Summary = field(default_factory=Summary)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    on_batch: Callable[[Opened, Batch], None] = lambda _log, _batch: None
    on_away: Callable[[str], None] = lambda _why: None

    async def marks_of(self, opened: Opened, *, restart: bool = False) -> Marks:
        """Where the log's replay goes on, or begins. Raises PartitionsChangedError, UnreadableLogError."""
        if restart:
            await known.forget(self.redis, opened.log)
        marks = await known.find(self.redis, self.partitions, opened.log, self.keep_ms)
        if marks is None:
            marks = known.new(self.redis, self.partitions, opened.log, self.keep_ms)
        opened.go_to(marks.lowest)
        return marks

    async def run(self, opened: Opened, marks: Marks) -> bool:
        """Replay a log to its end; False if it was stopped before."""
        if opened.format is None:
            return True  # it was empty
        while not self.stop.is_set():
            lines = opened.log.take()
            if lines is None:
                return True
            await self.take(opened, marks, lines)
        return False

    async def take(self, opened: Opened, marks: Marks, lines: Lines) -> None:
        """Judge some lines of a log and put their events; the marks say afterwards which."""
        batch = judge(lines, opened.keeper, opened.admission, time.time_ns() // 1_000_000)
        self.summary.add(batch)
        self.on_batch(opened, batch)
        await self._put(opened.log, marks, batch)

    async def _put(self, log: Log, marks: Marks, batch: Batch) -> None:
        """Put a batch slice by slice; a slice ends where its last line ends.

        Until a log's first event is queued nothing is marked: whoever forgot `--site` or `--as-now` begins anew.
        """
        fresh = [one for one in batch.events if not marks.is_queued(one)]
        self.summary.duplicates += len(batch.events) - len(fresh)
        begin = 0
        while begin < len(fresh):
            room = await self.patiently(lambda: self.pacer.room(self.stop))
            if self.stop.is_set():
                return
            stop = _line_end(fresh, begin + min(room, EVENTS_A_WRITE))
            chosen = fresh[begin:stop]
            await self.pacer.turn(chosen, self.stop)
            if self.stop.is_set():
                return
            await self._write(log, marks, chosen, fresh[stop].offset if stop < len(fresh) else batch.end)
            begin = stop
        if not fresh and marks.lowest:
            await self._write(log, marks, [], batch.end)

    async def _write(self, log: Log, marks: Marks, events: Sequence[Placed], end: int) -> None:
        """One write. Begun anew after a failure, it counts no line twice."""

        async def write() -> Written:
            if not marks.lowest:
                await known.keep(marks, log)
            return await marks.put(events, end)

        written = await self.patiently(write)
        self.pacer.pending = written.pending
        self.summary.queued += len(events) - written.duplicates
        self.summary.duplicates += written.duplicates

    async def patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until the server answers; while it is away or full, for so long. Raises what it raised last."""
        deadline_s = time.monotonic() + AWAY_FOR_S
        while True:
            try:
                return await ask()
            except (*AWAY, RedisError, UnavailableError) as error:
                if time.monotonic() > deadline_s or self.stop.is_set():
                    raise
                self.on_away(str(error) if isinstance(error, UnavailableError) else describe(error))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.stop.wait(), AGAIN_S)


def _line_end(events: Sequence[Placed], index: int) -> int:
    """The first index from there on at which another line begins."""
    while 0 < index < len(events) and events[index].offset == events[index - 1].offset:
        index += 1
    return min(index, len(events))
