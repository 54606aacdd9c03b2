"""The server itself: is it one that the queue can live on, and how full is its memory.

Read with INFO, which some hosted servers forbid; what cannot be read is not held against them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ResponseError

# Of Redis: the first whose scripts may run above maxmemory, by which a full queue empties itself.
OLDEST: Final = (7, 0)
FULL_SHARE: Final = 0.8  # of maxmemory: doors refuse from here on, so that the workers have room to write outcomes down


class UnfitServerError(RuntimeError):
    """The queue cannot live on this server, or not with these settings; the text says what would be right."""


async def refuse_unfit(redis: Redis) -> None:
    """Raise UnfitServerError for a server that is too old, or a Redis Cluster. Raises AWAY errors, too."""
    info = await _info(redis, "server")
    version = str(info.get("redis_version", ""))
    try:
        known = tuple(int(part) for part in version.split(".")[:2])
    except ValueError:
        known = OLDEST
    if version and known < OLDEST:
        raise UnfitServerError(f"the queue's server is Redis {version}: use Redis 7 or later, or Valkey")
    if info.get("redis_mode") == "cluster":
        raise UnfitServerError("the queue's server is a Redis Cluster: use a single server, or one with replicas")


async def memory_share(redis: Redis) -> float:
    """How much of its `maxmemory` the server has used, 0 if there is no limit. Raises AWAY errors."""
    info = await _info(redis, "memory")
    most = int(info.get("maxmemory", 0))
    return int(info.get("used_memory", 0)) / most if most else 0.0


async def _info(redis: Redis, section: str) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = await redis.info(section)
    except ResponseError:
        return {}
    return found
