"""Sending dead letters again, at a pace, and only while little else waits.

A letter goes to the end of its partition, so it overtakes nothing; and none goes there while as many events wait as the
pace allows, so that live traffic never stands behind a long row of old events. Each step moves some letters whole, with
their counts: whoever stops between two steps leaves nothing half done.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.dead import CHUNK, DeadLetter, Which, chunks
from relay.queue.ledger import pending_events

RATE_PER_S: Final = 100.0  # a small part of what Plausible takes, and a million in three hours
MAX_PENDING: Final = 1_000  # a worker sends these within seconds
STEP_S: Final = 0.1  # of the pace's letters go at once
LOOK_S: Final = 0.5  # between two looks at a queue that is too long


@dataclass(frozen=True, slots=True)
class Pace:
    """How many letters a second are sent again at most, and at how many pending events none is."""

    rate_per_s: float = RATE_PER_S
    max_pending: int = MAX_PENDING

    @property
    def step(self) -> int:
        """Letters to be moved at once."""
        return max(1, min(CHUNK, math.ceil(self.rate_per_s * STEP_S), self.max_pending))


@dataclass(slots=True)
class Redrive:
    """A retry of dead letters. `moved` is right at any time, also after a failure; `stop` ends it after its step."""

    redis: Redis
    partitions: int
    pace: Pace
    on_wait: Callable[[int], None] = lambda _: None
    """Told the number of pending events when the queue is found too long, once until there is room again."""
    moved: int = 0
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    _due_s: float = 0.0

    async def run(self, which: Which) -> bool:
        """Send the letters that are meant; False if it was stopped before its end. Raises what redis-py raises."""
        async for partition, letters in chunks(self.redis, self.partitions, which, self.pace.step):
            await self._sleep(self._due_s - time.monotonic())
            await self._room_for(len(letters))
            if self.stop.is_set():
                return False
            await self._move(partition, letters)
            self._due_s = max(self._due_s, time.monotonic()) + len(letters) / self.pace.rate_per_s
        return True

    async def _move(self, partition: int, letters: Sequence[DeadLetter]) -> None:
        touched = (keys.events(partition), keys.ledger(partition), keys.dead(partition), keys.tally(partition))
        args = [part for letter in letters for part in (letter.entry_id, *letter.tally)]
        self.moved += await self.redis.eval(keys.REDRIVE, len(touched), *touched, *args)  # type: ignore[misc]

    async def _room_for(self, letters: int) -> None:
        told = False
        while (
            not self.stop.is_set()
            and (pending := await pending_events(self.redis, self.partitions)) + letters > self.pace.max_pending
        ):
            if not told:
                self.on_wait(pending)
            told = True
            await self._sleep(LOOK_S)

    async def _sleep(self, for_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, for_s)):
                await self.stop.wait()
