"""Which partitions are this worker's: leases prolonged twice a second, fair shares among the live workers.

A partition is given back only when nothing of it is in flight or unsettled, so the next owner repeats nothing.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from relay.queue import leases
from relay.queue.connection import AWAY, describe
from workers.partition import Partition

log = logging.getLogger(__name__)

TICK_S = 0.5
GRACE_S = 1.5  # after the queue was away: its owners come back, too, and write down what they delivered meanwhile
TRUST_S = 0.8 * leases.TTL_MS / 1_000  # from when the renewal was sent, by our own clock


@dataclass(slots=True)
class Ownership:
    """The partitions of this worker. `state` gives what is told with each heartbeat."""

    redis: Redis
    worker: str
    partitions: int
    open_partition: Callable[[int], Partition]
    forget: Callable[[int], None]
    on_renewed: Callable[[], None]
    state: Callable[[], dict[str, Any]]
    owned: dict[int, Partition] = field(default_factory=dict)
    _left: list[Partition] = field(default_factory=list)
    """Lost while something of theirs was in flight: not taken again before that is settled, or it is repeated."""
    _runs: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    _away: bool = False
    _is_new: bool = True
    """Never was at the queue: it may have been away until now, with owners who come back."""
    _take_from_s: float = 0.0
    """What others owned is not taken before."""
    _lost: set[int] = field(default_factory=set)
    """What was ours when the queue went away and is not again; forgotten once whoever else owned some had his time."""

    async def run(self) -> None:
        """Keep the leases and the fair share until cancelled; a partition's own failure ends everything."""
        while True:
            try:
                await self._tick()
            except (*AWAY, RedisError) as error:
                if not self._away:
                    log.error("the queue is away, deliveries pause: %s", describe(error))  # noqa: TRY400 - expected
                self._away = True
            else:
                self._away = False
            for run in self._runs.values():
                if run.done():
                    run.result()
            await asyncio.sleep(TICK_S)

    async def _tick(self) -> None:
        sent_s = time.monotonic()
        state = orjson.dumps(self.state()).decode()
        if self._is_new and await leases.silent(self.redis):
            self._take_from_s = time.monotonic() + GRACE_S
        self._is_new = False
        live, renewed = await leases.heartbeat(self.redis, self.worker, state, list(self.owned))
        # A frozen server's answer may come before it times out.
        came_back = self._away or time.monotonic() - sent_s > TRUST_S
        if not came_back and sent_s >= self._take_from_s:
            self._lost.clear()
        for number, still_ours in renewed.items():
            if still_ours:
                self.owned[number].lease_until_s = sent_s + TRUST_S
            else:
                log.warning("partition %d was lost: its lease ran out", number)
                self._lost.add(number)
                await self._drop(number)
        if came_back:
            log.warning("the queue is back")
            self._take_from_s = time.monotonic() + GRACE_S
        self.on_renewed()
        share = math.ceil(self.partitions / live)
        if len(self.owned) > share or any(partition.closing for partition in self.owned.values()):
            await self._give_back_one()
        elif len(self.owned) < share:
            await self._take_up_to(share)

    async def _take_up_to(self, share: int) -> None:
        self._left = [partition for partition in self._left if partition.unfinished]
        not_now = {partition.number for partition in self._left} | self.owned.keys()
        foreign = [p for p in range(self.partitions) if p not in not_now]
        free = await leases.free_partitions(self.redis, foreign)
        if time.monotonic() < self._take_from_s:
            free = [number for number in free if number in self._lost]
        random.shuffle(free)
        for number in free[: share - len(self.owned)]:
            sent_s = time.monotonic()
            if await leases.take(self.redis, self.worker, number):
                self._lost.discard(number)
                partition = self.open_partition(number)
                partition.lease_until_s = sent_s + TRUST_S
                self.owned[number] = partition
                self._runs[number] = asyncio.create_task(partition.run())

    async def _give_back_one(self) -> None:
        closing = [p for p in self.owned.values() if p.closing]
        partition = closing[0] if closing else next(reversed(self.owned.values()))
        partition.closing = True
        if partition.unfinished == 0:
            await self._drop(partition.number)
            await leases.release(self.redis, self.worker, partition.number)

    async def _drop(self, number: int) -> None:
        """Forget all that is in memory of the partition; what is in its stream is the next owner's."""
        partition = self.owned.pop(number)
        partition.closing = True
        self.forget(number)
        if partition.unfinished:
            self._left.append(partition)
        run = self._runs.pop(number)
        run.cancel()
        await asyncio.wait([run])

    async def close(self) -> None:
        """Give everything back."""
        for number in list(self.owned):
            await self._drop(number)
            await leases.release(self.redis, self.worker, number)
        await leases.leave(self.redis, self.worker)
