"""How the relay reaches its Redis or Valkey: one client with honest timeouts, and what the server promises.

The client is built here and nowhere else; the durability that the server really gives is read here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from relay.queue import keys
from relay.queue.server import UnfitServerError, refuse_unfit
from relay.queue.sockets import KINDS, BySentinel, ReplicaError
from relay.settings.urls import sentinel_of

AWAY = (RedisConnectionError, RedisTimeoutError, OSError, TimeoutError)
"""What is raised while the server is away, frozen or starting: worth trying again."""

_ASKED = ("appendfsync", "maxmemory-policy", "maxmemory")
SOCKET_TIMEOUT_S = 5.0  # longer than the longest blocking read (1 s)


class PartitionsDifferError(UnfitServerError):
    """The data set was begun with another number of partitions."""


class Durability(StrEnum):
    """What survives a crash of the server's machine, best first."""

    ALWAYS = "always"  # every acknowledged write is on disk
    EVERYSEC = "everysec"  # up to two seconds of acknowledged writes can be lost
    NO = "no"  # written to disk when the operating system likes
    MEMORY = "memory"  # no append-only file: a restart loses what came after the last snapshot
    UNKNOWN = "unknown"  # the server does not let us read its configuration


@dataclass(frozen=True, slots=True)
class ServerPromise:
    """What the server is configured to keep: `evicts` if it may throw events away when memory is full."""

    durability: Durability
    evicts: bool

    @property
    def shortcomings(self) -> list[str]:
        """What keeps a 202 from being a promise, in words, with what would be right."""
        found = []
        if self.durability is not Durability.ALWAYS:
            found.append(
                f"durability is '{self.durability}': an acknowledged event can be lost when the server crashes; "
                "set appendonly yes and appendfsync always"
            )
        if self.evicts:
            found.append("maxmemory-policy may evict pending events; set maxmemory-policy noeviction")
        return found


def connect(url: str, *, timeout_s: float = SOCKET_TIMEOUT_S, connections: int = 64) -> Redis:
    """A client for a URL as RELAY_REDIS_URL takes it; it connects when first used."""
    options: dict[str, Any] = {
        "max_connections": connections,
        "timeout": timeout_s,
        "socket_timeout": timeout_s,
        "socket_connect_timeout": min(timeout_s, 2.0),
        "health_check_interval": 15,
    }
    sentinel = sentinel_of(url)
    if sentinel is not None:
        return Redis.from_pool(BlockingConnectionPool(connection_class=BySentinel, sentinel=sentinel, **options))
    pool = BlockingConnectionPool.from_url(url, **options)
    pool.connection_class = KINDS[pool.connection_class]
    return Redis.from_pool(pool)


async def in_one_trip(redis: Redis, calls: Sequence[bytes]) -> list[Any]:
    """Send packed commands together; their answers. Raises the first error of the server's, when all have answered.

    A pipeline of redis-py costs several times as much, and may send all of it again without saying so.
    """
    pool = redis.connection_pool
    connection = await pool.get_connection()
    try:
        await connection.send_packed_command(calls, check_health=False)
        answers = [await answer_of(connection) for _ in calls]
    except BaseException:  # what was not read must not be taken for somebody else's answer
        await connection.disconnect(nowait=True)
        raise
    finally:
        await pool.release(connection)
    for answer in answers:
        if isinstance(answer, RedisError):
            raise answer
    return answers


async def answer_of(connection: AbstractConnection) -> Any:
    """One command's answer; its error is a value, as the others' answers still follow."""
    try:
        return await connection.read_response(disable_decoding=True)
    except AWAY:
        raise
    except RedisError as error:
        return error


async def server_promise(redis: Redis) -> ServerPromise:
    """Read what the server promises; UNKNOWN where CONFIG is forbidden. Raises AWAY errors."""
    try:
        config: Mapping[str, str] = await redis.config_get("appendonly", *_ASKED)  # type: ignore[arg-type]
    except ResponseError:
        return ServerPromise(Durability.UNKNOWN, evicts=False)
    durability = Durability.UNKNOWN
    if config.get("appendonly") == "no":
        durability = Durability.MEMORY
    elif config.get("appendonly") == "yes" and config.get("appendfsync") in set(Durability):
        durability = Durability(config["appendfsync"])
    limited = config.get("maxmemory", "0") != "0"
    return ServerPromise(durability, evicts=limited and config.get("maxmemory-policy") != "noeviction")


async def settle_form(redis: Redis, partitions: int) -> None:
    """Write down the number of partitions at the first start, and refuse another one afterwards.

    Refuses a server that is unfit, too. Later starts write nothing, so they go well on a full server.
    """
    await refuse_unfit(redis)
    kept = await kept_partitions(redis)
    if kept is None:
        await redis.hsetnx(keys.FORM, "partitions", str(partitions))  # type: ignore[misc] # redis-py types both worlds
        kept = await kept_partitions(redis)
    if kept != partitions:
        raise PartitionsDifferError(
            f"this data set was begun with {kept} partitions, and RELAY_PARTITIONS is {partitions}: "
            f"set RELAY_PARTITIONS={kept}, or let the queue run empty (`relay status`), stop the relay, "
            f"delete the key {keys.FORM} and start again"
        )


async def kept_partitions(redis: Redis) -> int | None:
    """The data set's number of partitions, None before the first start."""
    kept = await redis.hget(keys.FORM, "partitions")  # type: ignore[misc]
    return None if kept is None else int(kept)


def describe(error: BaseException) -> str:
    """A failure of the server in a few words, without addresses or secrets."""
    if isinstance(error, (RedisTimeoutError, TimeoutError)):
        return "no answer in time"
    if isinstance(error, ReplicaError):
        return str(error)
    if isinstance(error, RedisConnectionError | OSError):
        return "no connection"
    if not isinstance(error, RedisError):
        return type(error).__name__
    text = str(error).rpartition("of pipeline caused error: ")[2]  # before it redis-py repeats the whole command
    return "".join(c if c.isprintable() else " " for c in text.partition(":")[0][:80])
