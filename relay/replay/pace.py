"""How fast a replay may go: its own rate, its sites' rates, and no more than a small part of the queue.

Live events go first: nothing is put while as many events wait as `max_pending` says, whoever sent them. So at most that
many of the replay stand before a live event, which a worker sends within a second or two.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from redis.asyncio import Redis

from relay.queue.ledger import pending_events
from relay.queue.marked import Placed

MAX_PENDING: Final = 2_000
BACKLOG_SHARE: Final = 0.5  # of RELAY_MAX_BACKLOG; beyond, the door would refuse live events for the replay's sake
STEP_S: Final = 0.1  # of a rate's events go at once
LOOK_S: Final = 0.05  # between two looks at a queue that is full enough


@dataclass(slots=True)
class Pacer:
    """Says how many events may go now, and when. None: no limit of that kind."""

    redis: Redis
    partitions: int
    max_pending: int = MAX_PENDING
    rate_per_s: float | None = None
    site_rate_per_s: float | None = None
    site_rates: Mapping[str, float] = field(default_factory=dict)
    """Events a second of a site, before `site_rate_per_s`."""
    on_wait: Callable[[int], None] = lambda _: None
    """Told the number of pending events while the queue is found too long."""
    pending: int = sys.maxsize
    """As the last write or look showed; before the first, it is not known."""
    _due_s: float = 0.0
    _site_due_s: dict[str, float] = field(default_factory=dict)

    async def room(self, stop: asyncio.Event) -> int:
        """Wait until events may be put, and say how many at most; at least one."""
        while self.pending >= self.max_pending and not stop.is_set():
            self.pending = await pending_events(self.redis, self.partitions)
            if self.pending >= self.max_pending:
                self.on_wait(self.pending)
                await _sleep(LOOK_S, stop)
        rates = [rate for rate in (self.rate_per_s, self.site_rate_per_s, *self.site_rates.values()) if rate]
        step = math.ceil(min(rates) * STEP_S) if rates else self.max_pending
        return max(1, min(step, self.max_pending - self.pending))

    async def turn(self, events: Sequence[Placed], stop: asyncio.Event) -> None:
        """Wait until it is these events' turn."""
        sites = Counter(placed.event.site for placed in events)
        due_s = max([self._due_s, *(self._site_due_s.get(site, 0.0) for site in sites)])
        await _sleep(due_s - time.monotonic(), stop)
        now_s = time.monotonic()
        if self.rate_per_s:
            self._due_s = max(self._due_s, now_s - STEP_S) + len(events) / self.rate_per_s
        for site, count in sites.items():
            if rate := self.site_rates.get(site, self.site_rate_per_s):
                self._site_due_s[site] = max(self._site_due_s.get(site, 0.0), now_s - STEP_S) + count / rate


async def _sleep(for_s: float, stop: asyncio.Event) -> None:
    if for_s <= 0:
        return
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), for_s)
