"""Which stored form a door writes: the compressed one only while every worker reads it.

So doors and workers can be upgraded in any order.
"""

import time

import orjson
import pytest
from redis.asyncio import Redis

from relay.queue import keys, leases
from relay.queue.forms import read_by_all
from relay.queue.stored import PLAIN, READS, SMALL
from relay.settings import load_settings
from tests.http.door import Door, until
from workers.runtime import build_runtime

OLDER = orjson.dumps({"upstream": {"state": "up"}, "partitions": [0], "in_flight": 0}).decode()
NOWHERE = "http://127.0.0.1:9"


async def written(door: Door) -> bytes:
    """The version of the form that an event posted now is kept in."""
    assert (await door.post()).status == 202
    form: bytes
    [form] = [fields[b"e"] for p in range(8) for _, fields in await door.redis.xrange(keys.events(p))]
    await door.redis.delete(*(keys.events(p) for p in range(8)))
    return form[:1]


async def until_written(door: Door, version: bytes, why: str) -> None:
    """Wait until the door writes that version."""

    async def does() -> bool:
        return await written(door) == version

    await until(why, does)


async def test_a_door_compresses_when_all_workers_read_it(door: Door, redis_url: str) -> None:
    """Doors first, workers one by one: plain while an older worker lives, compressed when the last one has gone."""
    assert await written(door) == PLAIN
    await leases.heartbeat(door.redis, "older", OLDER, [])
    settings = load_settings({"redis_url": redis_url, "upstream": NOWHERE}, {})
    runtime = build_runtime("newer", settings)
    await runtime.start()
    try:
        await until_known(door.redis, "newer")
        assert await read_by_all(door.redis) == ""
        assert await written(door) == PLAIN
        await leases.leave(door.redis, "older")
        await until_written(door, SMALL, "the older worker has gone")
        await leases.heartbeat(door.redis, "older", OLDER, [])
        await until_written(door, PLAIN, "an older worker has come back")
        await leases.leave(door.redis, "older")
        await until_written(door, SMALL, "it has gone again")
    finally:
        await runtime.stop(time.monotonic())
    assert await read_by_all(door.redis) == READS  # the worker has stopped, and another one like it will come


async def until_known(redis: Redis, worker: str) -> None:
    """Wait for the worker's first heartbeat."""

    async def is_known() -> bool:
        return bool(await redis.hexists(keys.WORKER_STATES, worker))  # type: ignore[misc]

    await until(f"{worker} is known", is_known)


@pytest.mark.parametrize("state", ["", "[]", "null", "{", '{"reads":3}', '{"reads":"12"}', '{"reads":null}'])
async def test_who_does_not_say_so_does_not_read_it(redis: Redis, state: str) -> None:
    """Whatever else a worker tells, or whatever became of it."""
    assert await read_by_all(redis) == ""
    await leases.heartbeat(redis, "newer", '{"reads":"123"}', [])
    assert await read_by_all(redis) == "123"
    await leases.heartbeat(redis, "other", state, [])
    assert SMALL.decode() not in await read_by_all(redis)
    await leases.leave(redis, "newer")
    await leases.leave(redis, "other")
    assert SMALL.decode() not in await read_by_all(redis)


async def test_each_version_for_itself(redis: Redis) -> None:
    """Bundles are younger than the compressed form: where one worker does not know them, that one is still written."""
    await leases.heartbeat(redis, "newer", '{"reads":"12345"}', [])
    assert await read_by_all(redis) == READS
    await leases.heartbeat(redis, "other", '{"reads":"123"}', [])
    assert await read_by_all(redis) == "123"
    await leases.leave(redis, "newer")
    await leases.leave(redis, "other")
    assert await read_by_all(redis) == "123"  # the last one that was seen


async def test_a_silent_worker_counts_until_it_is_forgotten(redis: Redis) -> None:
    """One that was killed or is frozen may come back to its partitions; a minute later it is forgotten."""
    await leases.heartbeat(redis, "newer", '{"reads":"1234"}', [])
    await leases.heartbeat(redis, "older", OLDER, [])
    await redis.zadd(keys.WORKERS, {"older": (await redis.time())[0] * 1_000 - 50_000})
    await leases.forget_gone(redis)
    assert await read_by_all(redis) == ""
    await redis.zadd(keys.WORKERS, {"older": (await redis.time())[0] * 1_000 - 70_000})
    await leases.forget_gone(redis)
    assert await read_by_all(redis) == READS
