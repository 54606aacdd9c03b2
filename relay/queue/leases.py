"""Who owns a partition: a lease in Redis that its owner prolongs, and that ends by itself when he dies.

Only single steps live here; when to take or give back is the workers' (workers/ownership.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from redis.asyncio import Redis

from relay.queue import keys

TTL_MS = 3_000
LIVE_MS = 2_000  # a worker whose heartbeat is older counts as gone

# KEYS workers, states. ARGV worker, state, live_ms. By the server's clock, as hosts' clocks differ.
# → how many workers had a heartbeat within live_ms.
HEARTBEAT: Final = """#!lua flags=allow-oom
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now_ms, ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return redis.call('ZCOUNT', KEYS[1], now_ms - ARGV[3], '+inf')
"""

# KEYS owner. ARGV token, ttl_ms. → 1 if the partition had no owner and is ours now.
TAKE: Final = """#!lua flags=allow-oom
return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0
"""

# KEYS owner. ARGV token, ttl_ms. → 1 if the lease is still ours and was prolonged.
RENEW: Final = """#!lua flags=allow-oom
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
"""

# KEYS owner. ARGV token. → 1 if it was ours and is free now.
RELEASE: Final = """#!lua flags=allow-oom
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


async def heartbeat(redis: Redis, worker: str, state: str, owned: Sequence[int]) -> tuple[int, dict[int, bool]]:
    """Say that `worker` lives and prolong its leases, in one round trip.

    Returns how many workers live, and for each owned partition whether it still is ours.
    """
    pipe = redis.pipeline(transaction=False)
    pipe.eval(HEARTBEAT, 2, keys.WORKERS, keys.WORKER_STATES, worker, state, str(LIVE_MS))
    for partition in owned:
        pipe.eval(RENEW, 1, keys.owner(partition), worker, str(TTL_MS))
    live, *renewed = await pipe.execute()
    return max(1, live), {p: bool(r) for p, r in zip(owned, renewed, strict=True)}


async def silent(redis: Redis) -> int:
    """How many workers had a heartbeat once, none within LIVE_MS, and did not say that they stop.

    They are dead, or will be back.
    """
    seconds, microseconds = await redis.time()
    now_ms = seconds * 1_000 + microseconds // 1_000
    return int(await redis.zcount(keys.WORKERS, "-inf", f"({now_ms - LIVE_MS}"))


async def free_partitions(redis: Redis, partitions: Sequence[int]) -> list[int]:
    """Those of `partitions` that nobody owns at this moment."""
    if not partitions:
        return []
    pipe = redis.pipeline(transaction=False)
    for partition in partitions:
        pipe.exists(keys.owner(partition))
    return [p for p, taken in zip(partitions, await pipe.execute(), strict=True) if not taken]


async def take(redis: Redis, worker: str, partition: int) -> bool:
    """Become the partition's owner if it has none."""
    return bool(await redis.eval(TAKE, 1, keys.owner(partition), worker, str(TTL_MS)))  # type: ignore[misc]


async def release(redis: Redis, worker: str, partition: int) -> None:
    """Give the partition back, if it still is ours."""
    await redis.eval(RELEASE, 1, keys.owner(partition), worker)  # type: ignore[misc]


async def leave(redis: Redis, worker: str) -> None:
    """Say that `worker` stops."""
    pipe = redis.pipeline(transaction=False)
    pipe.zrem(keys.WORKERS, worker)
    pipe.hdel(keys.WORKER_STATES, worker)
    await pipe.execute()


async def forget_gone(redis: Redis, *, older_than_ms: int = 60_000) -> int:
    """Forget workers without a heartbeat for so long; returns how many."""
    seconds, _ = await redis.time()
    gone = await redis.zrangebyscore(keys.WORKERS, "-inf", seconds * 1_000 - older_than_ms)
    if gone:
        pipe = redis.pipeline(transaction=False)
        pipe.zrem(keys.WORKERS, *gone)
        pipe.hdel(keys.WORKER_STATES, *gone)
        await pipe.execute()
    return len(gone)
