"""The account of every event: what was accepted and what became of it, read as one consistent look.

Always: accepted = delivered + dropped + dead + pending. Each partition is read in one script, so each
balances by itself, and so does their sum.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from redis.asyncio import Redis

from relay.queue import keys, looks
from relay.queue.leases import LIVE_MS

COUNTERS = ("accepted", "delivered", "dropped", "dead")


@dataclass(frozen=True, slots=True)
class Look:
    """The state of a data set.

    `counters` has every ledger counter summed over the partitions (`dropped:bot`, `dead:exhausted`, … too);
    `lag_s` is the age of the oldest pending event; `backlog` the pending events by partition.
    """

    counters: Mapping[str, int]
    backlog: Mapping[int, int]
    lag_s: float
    failing: int
    letters: int
    owned: int
    workers: Mapping[str, Mapping[str, Any]]
    refused: Mapping[str, int]

    @property
    def pending(self) -> int:
        """Accepted events without an outcome."""
        return sum(self.backlog.values())

    @property
    def ledger(self) -> dict[str, int]:
        """The five numbers that always balance."""
        return {name: self.counters.get(name, 0) for name in COUNTERS} | {"pending": self.pending}

    def reasons(self, outcome: str) -> dict[str, int]:
        """How often each reason of `dropped` or `dead` occurred."""
        return {
            name.partition(":")[2]: n for name, n in sorted(self.counters.items()) if name.startswith(f"{outcome}:")
        }


async def look(redis: Redis, partitions: int) -> Look:
    """Read the whole state in one round trip. Raises what redis-py raises."""
    pipe = redis.pipeline(transaction=False)
    for p in range(partitions):
        touched = looked_at(p)
        pipe.eval(looks.LOOK, len(touched), *touched)
    pipe.zrange(keys.WORKERS, 0, -1, withscores=True)
    pipe.hgetall(keys.WORKER_STATES)
    pipe.hgetall(keys.REFUSED)
    pipe.time()
    *parts, beats, states, refused, (now_s, _) = await pipe.execute()
    counters: Counter[str] = Counter()
    lags_s = [0.0]
    for counts, _, first, _, _, _, (at_s, at_us) in parts:
        counters.update({k.decode(): int(v) for k, v in zip(counts[::2], counts[1::2], strict=True)})
        if first:
            lags_s.append(int(at_s) + int(at_us) / 1e6 - int(first.partition(b"-")[0]) / 1e3)
    return Look(
        counters=counters,
        backlog={p: int(part[1]) for p, part in enumerate(parts)},
        lag_s=round(max(lags_s), 3),
        failing=sum(int(part[3]) for part in parts),
        letters=sum(int(part[4]) for part in parts),
        owned=sum(1 for part in parts if part[5]),
        workers={
            name.decode(): orjson.loads(states.get(name, b"{}"))
            for name, at_ms in beats
            if at_ms > now_s * 1_000 - LIVE_MS - 1_000  # TIME's whole seconds
        },
        refused={reason.decode(): int(n) for reason, n in refused.items()},
    )


def looked_at(partition: int) -> tuple[str, ...]:
    """The keys of one look at a partition."""
    names = (keys.events, keys.retry, keys.ledger, keys.dead, keys.owner, keys.bundles)
    return tuple(name(partition) for name in names)


async def pending_in(redis: Redis, partitions: int) -> dict[int, int]:
    """The pending events of each partition whose stream can be read, whatever else of it is damaged. Raises AWAY."""
    told = await _pending(redis, partitions, raise_on_error=False)
    return {p: pending for p, pending in enumerate(told) if isinstance(pending, int)}


async def pending_events(redis: Redis, partitions: int) -> int:
    """How many events are pending in all. Raises what redis-py raises."""
    return sum(await _pending(redis, partitions, raise_on_error=True))


async def _pending(redis: Redis, partitions: int, *, raise_on_error: bool) -> list[Any]:
    pipe = redis.pipeline(transaction=False)
    for p in range(partitions):
        pipe.eval(looks.PENDING, 2, keys.events(p), keys.bundles(p))
    return await pipe.execute(raise_on_error=raise_on_error)
