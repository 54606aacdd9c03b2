"""A partition's events that are set aside until their time: only their ids are in memory, and they hold up nobody."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from redis.exceptions import RedisError

from relay.queue.claiming import Note
from relay.queue.connection import AWAY

MOST = 10_000  # set aside in all; beyond that they hold their visitors, and drops are final
AT_ONCE = 32  # that are tried side by side, so that many poison ones crowd out nobody
PAUSE_S = 0.2


@dataclass(slots=True, eq=False)
class Aside:
    """`bring_back` reads the event and offers it; False if it is no longer pending. Raises what redis-py raises."""

    bring_back: Callable[[bytes, Note], Awaitable[bool]]
    _waiting: list[tuple[int, bytes, Note]] = field(default_factory=list)
    _under_way: int = 0
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def has_room(self) -> bool:
        """Whether one more event may be set aside."""
        return len(self._waiting) < MOST

    def push(self, entry_id: bytes, note: Note) -> None:
        """Set it aside until its next attempt."""
        heapq.heappush(self._waiting, (note.next_ms, entry_id, note))
        self._wake.set()

    def ended(self) -> None:
        """One that was brought back has its outcome, or was set aside again."""
        self._under_way -= 1
        self._wake.set()

    async def run(self) -> None:
        """Bring back what is due, until cancelled."""
        while True:
            wait_s = self._waiting[0][0] / 1_000 - time.time() if self._waiting else None
            if wait_s is not None and wait_s <= 0 and self._under_way < AT_ONCE:
                await self._bring_one()
                continue
            self._wake.clear()
            due_s = None if self._under_way >= AT_ONCE else wait_s
            try:
                async with asyncio.timeout(due_s):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _bring_one(self) -> None:
        due = heapq.heappop(self._waiting)
        _, entry_id, note = due
        try:
            self._under_way += await self.bring_back(entry_id, note)
        except (*AWAY, RedisError):
            heapq.heappush(self._waiting, due)
            await asyncio.sleep(PAUSE_S)
