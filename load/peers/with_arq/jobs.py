"""How a job is written: arq's own pickle, or JSON by orjson when tuned; and the queue filled without the door."""

from __future__ import annotations

import time
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import orjson
from arq.connections import ArqRedis, RedisSettings, create_pool
from arq.constants import default_queue_name, job_key_prefix
from arq.jobs import Deserializer, Serializer, serialize_job

from load.bench import events

FUNCTION: Final = "deliver"
EXPIRES_MS: Final = 86_400_000  # arq's own: a day
AT_ONCE: Final = 1_000


def settings_of(url: str) -> RedisSettings:
    """Where the queue is; `url` names a unix socket."""
    return RedisSettings(unix_socket_path=unquote(urlsplit(url).path))


def serializer(*, tuned: bool) -> Serializer | None:
    """What writes a job; None is arq's own."""
    return orjson.dumps if tuned else None


def deserializer(*, tuned: bool) -> Deserializer | None:
    """What reads it."""
    return orjson.loads if tuned else None


async def pool_of(url: str, *, tuned: bool) -> ArqRedis:
    """A connection pool as the door uses it."""
    return await create_pool(
        settings_of(url), job_serializer=serializer(tuned=tuned), job_deserializer=deserializer(tuned=tuned)
    )


async def fill(url: str, count: int, first: int, *, tuned: bool) -> None:
    """Put so many jobs into the queue, byte for byte as `enqueue_job` does, but many at once."""
    pool: Any = await pool_of(url, tuned=tuned)
    for start in range(first, first + count, AT_ONCE):
        async with pool.pipeline(transaction=False) as pipe:
            for n in range(start, min(start + AT_ONCE, first + count)):
                now_ms, name, visitor = time.time_ns() // 1_000_000, uuid4().hex, n % events.VISITORS
                words = (events.address(visitor), events.agent(visitor), events.body(n).decode())
                job = serialize_job(FUNCTION, words, {}, None, now_ms, serializer=serializer(tuned=tuned))
                pipe.psetex(job_key_prefix + name, EXPIRES_MS, job)
                pipe.zadd(default_queue_name, {name: now_ms})
            await pipe.execute()
    await pool.aclose()
