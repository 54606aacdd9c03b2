"""What the server promises, and the number of partitions that is fixed for a data set."""

import asyncio
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ResponseError

from relay.queue.connection import (
    Durability,
    PartitionsDifferError,
    ServerPromise,
    connect,
    describe,
    kept_partitions,
    server_promise,
    settle_form,
)
from tests.server import TestServer


async def test_the_number_of_partitions_is_fixed(redis: Redis) -> None:
    """A data set keeps the number it was begun with; another one is refused with the way out."""
    assert await kept_partitions(redis) is None
    await settle_form(redis, 8)
    await settle_form(redis, 8)
    with pytest.raises(PartitionsDifferError, match="RELAY_PARTITIONS=8"):
        await settle_form(redis, 9)
    assert await kept_partitions(redis) == 8


async def test_our_own_configuration_keeps_the_promise(redis: Redis) -> None:
    """With config/valkey.conf a 202 is a promise."""
    promise = await server_promise(redis)
    assert promise == ServerPromise(Durability.ALWAYS, evicts=False)
    assert promise.shortcomings == []


async def test_what_breaks_the_promise_is_named(own_server: TestServer) -> None:
    """Each weaker configuration is seen as what it is, with words for the operator."""
    redis = connect(own_server.url)
    await redis.config_set("appendfsync", "everysec")
    assert (await server_promise(redis)).durability is Durability.EVERYSEC
    await redis.config_set("appendonly", "no")
    await redis.config_set("maxmemory", "100mb")
    await redis.config_set("maxmemory-policy", "allkeys-lru")
    promise = await server_promise(redis)
    assert promise == ServerPromise(Durability.MEMORY, evicts=True)
    assert len(promise.shortcomings) == 2
    await redis.acl_setuser("default", enabled=True, nopass=True, categories=["+@all"], commands=["-config"])
    assert (await server_promise(redis)).durability is Durability.UNKNOWN
    await redis.aclose()


async def test_a_server_that_is_not_there_is_described_without_its_address(tmp_path: Path) -> None:
    """Failures are told in a few words, without addresses or secrets."""
    redis = connect(f"unix://:secret@{tmp_path / 'nothing.sock'}")
    with pytest.raises(RedisConnectionError) as raised:
        await redis.ping()
    assert describe(raised.value) == "no connection"
    assert describe(TimeoutError("10.0.0.1")) == "no answer in time"
    assert describe(OutOfMemoryError("command not allowed: secret")) == "command not allowed"
    assert describe(ResponseError("WRONGTYPE Operation")) == "WRONGTYPE Operation"
    piped = "Command # 1 (EVAL #!lua\nlocal x) of pipeline caused error: NOREPLICAS Not enough good replicas"
    assert describe(ResponseError(piped)) == "NOREPLICAS Not enough good replicas"
    assert describe(KeyError("secret")) == "KeyError"
    await redis.aclose()


async def test_a_task_that_is_cancelled_ends(redis: Redis) -> None:
    """Whenever a task that talks to Redis is cancelled it ends, which redis-py does not see to on Python 3.11."""

    async def talk() -> None:
        while True:
            await redis.get("x")

    for ticks in range(300):
        task = asyncio.create_task(talk())
        for _ in range(ticks % 30):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=0.5)
        task.cancel()
        assert done
