"""Leases: one owner a partition, for as long as he says that he lives."""

import time

import orjson
import pytest
from redis.asyncio import Redis

from relay.queue import keys, leases
from relay.queue.ledger import look
from tests.queue.samples import until


async def test_a_partition_has_one_owner(redis: Redis) -> None:
    """Who takes a partition first has it; nobody else can prolong or give it back."""
    assert await leases.take(redis, "a", 3)
    assert not await leases.take(redis, "b", 3)
    assert await leases.free_partitions(redis, [1, 2, 3]) == [1, 2]
    await leases.release(redis, "b", 3)
    assert (await leases.heartbeat(redis, "b", "{}", [3]))[1] == {3: False}
    assert (await leases.heartbeat(redis, "a", "{}", [3]))[1] == {3: True}
    await leases.release(redis, "a", 3)
    assert await leases.take(redis, "b", 3)


async def test_a_heartbeat_prolongs_and_silence_ends(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease lasts from the last heartbeat; when it ran out another worker takes the partition over."""
    monkeypatch.setattr(leases, "TTL_MS", 80)
    await leases.take(redis, "a", 0)
    began_s = time.monotonic()
    while time.monotonic() - began_s < 0.25:
        assert (await leases.heartbeat(redis, "a", "{}", [0]))[1] == {0: True}
    assert not await leases.take(redis, "b", 0)
    await until("b can take it over", lambda: leases.take(redis, "b", 0), within_s=2.0)
    assert (await leases.heartbeat(redis, "a", "{}", [0]))[1] == {0: False}


async def test_a_lease_ends_by_itself(redis: Redis) -> None:
    """Every lease has an end, at its begin and after each heartbeat."""
    await leases.take(redis, "a", 0)
    assert 0 < await redis.pttl(keys.owner(0)) <= leases.TTL_MS
    await redis.pexpire(keys.owner(0), 100)
    await leases.heartbeat(redis, "a", "{}", [0])
    assert leases.TTL_MS - 1_000 < await redis.pttl(keys.owner(0)) <= leases.TTL_MS


async def test_heartbeats_count_the_living(redis: Redis) -> None:
    """Each worker sees how many live; one that was silent for too long or left no longer counts."""
    assert (await leases.heartbeat(redis, "a", "{}", []))[0] == 1
    assert (await leases.heartbeat(redis, "b", "{}", []))[0] == 2
    long_ago_ms = time.time_ns() // 1_000_000 - leases.LIVE_MS - 1_000
    await redis.zadd(keys.WORKERS, {"silent": long_ago_ms})
    assert (await leases.heartbeat(redis, "a", "{}", []))[0] == 2
    await leases.leave(redis, "b")
    assert (await leases.heartbeat(redis, "a", "{}", []))[0] == 1


async def test_states_are_told_while_a_worker_lives(redis: Redis) -> None:
    """What a worker says of itself is seen until it leaves."""
    await leases.heartbeat(redis, "a", orjson.dumps({"in_flight": 3}).decode(), [])
    assert (await look(redis, 1)).workers == {"a": {"in_flight": 3}}
    await leases.leave(redis, "a")
    assert (await look(redis, 1)).workers == {}


async def test_workers_that_are_gone_are_forgotten(redis: Redis) -> None:
    """A worker that was killed leaves nothing behind for ever; the living stay."""
    await leases.heartbeat(redis, "alive", "{}", [])
    await leases.heartbeat(redis, "killed", "{}", [])
    await redis.zadd(keys.WORKERS, {"killed": time.time_ns() // 1_000_000 - 61_000})
    assert await leases.forget_gone(redis) == 1
    assert await leases.forget_gone(redis) == 0
    assert await redis.zrange(keys.WORKERS, 0, -1) == [b"alive"]
    assert await redis.hkeys(keys.WORKER_STATES) == [b"alive"]  # type: ignore[misc]


async def test_nothing_to_ask_for_asks_nothing(redis: Redis) -> None:
    """A worker that owns everything looks for no free partition."""
    assert await leases.free_partitions(redis, []) == []
