"""Reading what comes: each partition waits for its own events or, while they come quickly, all are asked about at once.

An event that comes alone is sent at once. Where they come one upon the other, a read for each would cost more than what
is done with it: there a few milliseconds' rest finds several, and one call reads them for all partitions.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from relay.queue.claiming import read_after, read_after_each
from relay.queue.connection import AWAY, describe
from relay.queue.reading import RawEntry

log = logging.getLogger(__name__)

TOGETHER: Final = 32  # entries of a partition in a common read; who has room for fewer reads alone
QUICK_READS: Final = 8  # so many reads that found something
QUICK_S: Final = 0.05  # within this time are quick: 160 a second, of all partitions
REST_S: Final = 0.003  # before a common read, so that several have something to be read
BLOCK_MS: Final = 20  # of a common read: who asks meanwhile waits for its end


@dataclass(slots=True)
class Tails:
    """The ends of this worker's streams."""

    redis: Redis
    _found_s: deque[float] = field(default_factory=lambda: deque(maxlen=QUICK_READS))
    """When the last reads found something, monotonic."""
    _asked: dict[int, tuple[bytes, asyncio.Future[list[RawEntry] | None]]] = field(default_factory=dict)
    """Partition → behind which entry it asks for more, and who waits for that."""
    _common: asyncio.Task[None] | None = None
    _damaged: set[int] = field(default_factory=set)
    """Partitions that the server refused to read: in a common read they would fail all others."""

    async def read(self, partition: int, after: bytes, count: int, block_ms: int) -> list[RawEntry]:
        """The next entries after id `after`, `count` or TOGETHER at most; waits so long for one to come.

        Raises what redis-py raises for this partition.
        """
        until_s = time.monotonic() + block_ms / 1_000
        while count >= TOGETHER and partition not in self._damaged and self._are_quick(until_s):
            entries = await self._with_others(partition, after)
            if entries is None:
                break
            if entries:
                return self._found(entries)
        left_ms = max(1, round((until_s - time.monotonic()) * 1_000))
        try:
            entries = await read_after(self.redis, partition, after, count, left_ms)
        except AWAY:
            raise
        except RedisError:
            self._damaged.add(partition)
            raise
        self._damaged.discard(partition)
        return self._found(entries) if entries else entries

    def _found(self, entries: list[RawEntry]) -> list[RawEntry]:
        self._found_s.append(time.monotonic())
        return entries

    def _are_quick(self, until_s: float) -> bool:
        now_s = time.monotonic()
        return now_s < until_s and len(self._found_s) == QUICK_READS and now_s - self._found_s[0] < QUICK_S

    async def _with_others(self, partition: int, after: bytes) -> list[RawEntry] | None:
        """What the next common read finds; None if it failed."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[list[RawEntry] | None] = loop.create_future()
        self._asked[partition] = after, waiting
        if self._common is None or self._common.done():
            self._common = loop.create_task(self._read_common())
        return await waiting

    async def _read_common(self) -> None:
        """Read for all who ask, until nobody does."""
        while self._asked:
            await asyncio.sleep(REST_S)
            asked, self._asked = self._asked, {}
            wanted = {partition: after for partition, (after, waiting) in asked.items() if not waiting.done()}
            found: dict[int, list[RawEntry]] | None = None
            try:
                found = await read_after_each(self.redis, wanted, TOGETHER, BLOCK_MS) if wanted else {}
            except (*AWAY, RedisError) as error:  # each finds out for itself whether it is its own fault
                log.debug("a common read failed: %s", describe(error))
            finally:
                for partition, (_, waiting) in asked.items():
                    if not waiting.done():
                        waiting.set_result(None if found is None else found.get(partition, []))

    def close(self) -> None:
        """Read no more for all."""
        if self._common is not None:
            self._common.cancel()
