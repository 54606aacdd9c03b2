"""Which stored form may be written: the compressed one only where every worker reads it.

A worker tells with each heartbeat what it reads; one that tells nothing is older than that. Workers count until they
have left, or have been silent for a minute. Where none is known, the last ones seen count: the next is no older, as
long as nobody goes back to an older relay.
"""

from __future__ import annotations

from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.stored import SMALL


async def compressed_is_read(redis: Redis) -> bool:
    """Whether events may be kept compressed now; to be asked again about every second. Raises what redis-py raises."""
    touched = (keys.WORKER_STATES, keys.FORM)
    return bool(await redis.eval(keys.AGREED, len(touched), *touched, SMALL.decode()))  # type: ignore[misc]
