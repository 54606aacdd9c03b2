"""What the door knows of its queue: looked at once a second, or afresh when somebody asks.

From it come readiness, the backlog limit, the metrics of the whole relay, and what workers tell of Plausible.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from relay.queue import keys
from relay.queue.committing import Committer
from relay.queue.connection import AWAY, Durability, ServerPromise, describe, server_promise, settle_form
from relay.queue.forms import read_by_all
from relay.queue.ledger import Look, look, pending_in
from relay.queue.server import FULL_SHARE, memory_share

log = logging.getLogger(__name__)

EVERY_S = 1.0
FRESH_S = 0.25  # a burst of questions is answered with one look
UNKNOWN_PROMISE = ServerPromise(Durability.UNKNOWN, evicts=False)
LOOK_TIMEOUT_S = 0.9  # who asks for readiness hears within a second


@dataclass(slots=True)
class Watch:
    """The last look at the queue. `trouble` says why the queue can't be used now, empty if it can."""

    redis: Redis
    committer: Committer
    partitions: int
    max_backlog: int
    draining: bool = False
    trouble: str = "the queue was not reached yet"
    promise: ServerPromise = UNKNOWN_PROMISE
    seen: Look | None = None
    memory: float = 0.0
    """Share of the server's maxmemory that is used, 0 if it has none."""
    refused: Counter[str] = field(default_factory=Counter)
    """Refusals of this process, by reason, since its start."""
    batches: int = 0
    """Batches that this process answered with verdicts, since its start."""
    items: Counter[str] = field(default_factory=Counter)
    """Items of these, by what became of them."""
    scripts: Counter[str] = field(default_factory=Counter)
    """Requests for scripts that this process answered, by what became of them."""
    _reported: Counter[str] = field(default_factory=Counter)
    _seen_s: float = -1e9
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _begun: bool = False

    async def run(self) -> None:
        """Look until cancelled. Raises UnfitServerError, nothing else."""
        while True:
            await self.refresh(0.0)
            await asyncio.sleep(EVERY_S)

    async def refresh(self, fresh_s: float = FRESH_S) -> None:
        """Look again, unless the last look is younger than `fresh_s`."""
        async with self._looking:
            if time.monotonic() - self._seen_s < fresh_s:
                return
            try:
                async with asyncio.timeout(LOOK_TIMEOUT_S):
                    await self._look()
            except (*AWAY, RedisError) as error:
                self._now_in_trouble(describe(error))
            else:
                self._now_fine()
            self._seen_s = time.monotonic()

    async def _look(self) -> None:
        if not self._begun:
            await settle_form(self.redis, self.partitions)
            self._begun = True
        await self.redis.set(keys.PULSE, str(time.time_ns() // 1_000_000))  # fails when Redis can't write
        self.promise = await server_promise(self.redis)
        self.memory = await memory_share(self.redis)
        self.committer.forms = await read_by_all(self.redis)
        self.committer.written.clear()
        try:
            self.seen = await look(self.redis, self.partitions)
        except ResponseError:  # a partition is damaged; the others are written and delivered all the same
            self._now_pending(await pending_in(self.redis, self.partitions))
            raise
        self._now_pending(self.seen.backlog)
        await self._report_refusals()

    def _now_pending(self, backlog: Mapping[int, int]) -> None:
        for partition, pending in backlog.items():
            self.committer.backlog[partition] = pending + self.committer.written[partition]  # some count twice for now

    async def _report_refusals(self) -> None:
        """Add what this door refused since the last time to what all doors refused."""
        new = self.refused - self._reported
        if new:
            pipe = self.redis.pipeline(transaction=True)
            for reason, n in new.items():
                pipe.hincrby(keys.REFUSED, reason, n)
            await pipe.execute()
            self._reported += new

    def count_batch(self, items: Iterable[str]) -> None:
        """Count a batch, and its items by their statuses."""
        self.batches += 1
        self.items.update(items)

    def _now_in_trouble(self, trouble: str) -> None:
        if self.trouble != trouble:
            log.error("the queue can't be used, events are refused with 503: %s", trouble)
        self.trouble = trouble

    def _now_fine(self) -> None:
        if self.trouble:
            log.info("the queue is ready", extra={"durability": self.promise.durability})
            for shortcoming in self.promise.shortcomings:
                log.warning("the queue's server does not keep the relay's promise: %s", shortcoming)
        self.trouble = ""

    @property
    def pending(self) -> int:
        """Pending events, as far as this door knows."""
        return sum(self.committer.backlog.values())

    @property
    def over(self) -> bool:
        """Whether the backlog limit or that of the server's memory is reached, as far as this door knows."""
        return self.pending >= self.max_backlog or self.memory >= FULL_SHARE

    async def is_full(self) -> bool:
        """Whether the backlog limit or that of the server's memory is reached; looks again before it says so."""
        if self.over:
            await self.refresh()
        return self.over

    def unready(self) -> list[str]:
        """Why the door can't keep its promise now; empty if it can."""
        why = []
        if self.draining:
            why.append("the door is stopping")
        if self.trouble:
            why.append(f"queue: {self.trouble}")
        elif self.pending >= self.max_backlog:
            why.append(f"backlog: {self.pending} pending events, the limit is {self.max_backlog}")
        elif self.memory >= FULL_SHARE:
            why.append(
                f"memory: the queue's server has used {self.memory:.0%} of its maxmemory, {FULL_SHARE:.0%} is full"
            )
        return why

    def upstreams(self) -> list[dict[str, Any]]:
        """What each living worker tells of its upstream."""
        return [] if self.seen is None else [state.get("upstream", {}) for state in self.seen.workers.values()]

    def warnings(self) -> list[str]:
        """What is wrong without keeping the door from accepting."""
        if self.seen is None or self.trouble:
            return []
        told = [f"durability: {shortcoming}" for shortcoming in self.promise.shortcomings]
        if not self.seen.workers:
            told.append("workers: none is running, events wait")
        down = [state for state in self.upstreams() if state.get("state") == "down"]
        told += [f"upstream: {text}" for text in sorted({f"{d.get('url')} is down, {d.get('reason')}" for d in down})]
        return told
