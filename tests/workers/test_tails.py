"""Reading what comes: at once when it is quiet, together when it is not, and none fails for another."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from relay.queue import keys
from relay.queue.claiming import START, following
from workers.tails import QUICK_READS, QUICK_S, TOGETHER, Tails

FOREVER_MS = 4_000


async def xreads(redis: Redis) -> int:
    """How many XREADs the server has answered since it was asked to forget."""
    return int((await redis.info("commandstats")).get("cmdstat_xread", {}).get("calls", 0))


async def add(redis: Redis, partition: int, count: int = 1) -> None:
    """Put entries into the stream."""
    for n in range(count):
        await redis.xadd(keys.events(partition), {"e": f"{partition}:{n}"})


@asynccontextmanager
async def quick(redis: Redis) -> AsyncIterator[Tails]:
    """Tails on whose streams much happens just now, whatever the machine does; nothing is left of it."""
    tails = Tails(redis)
    await add(redis, 9, QUICK_READS)
    after = START
    for _ in range(QUICK_READS):
        [(after, _)] = await tails.read(9, after, 1, FOREVER_MS)
    tails._found_s = type(tails._found_s)([float("inf")] * QUICK_READS, QUICK_READS)  # noqa: SLF001 - it stays quick
    await redis.config_resetstat()
    yield tails
    tails.close()


async def test_many_partitions_are_read_with_one_call(redis: Redis) -> None:
    """Where events come quickly one call has them all, each partition's own and in order."""
    async with quick(redis) as tails:
        for partition in range(4):
            await add(redis, partition, 3)
        found = await asyncio.gather(*(tails.read(p, START, TOGETHER, FOREVER_MS) for p in range(4)))
        assert [[fields[b"e"].decode() for _, fields in each] for each in found] == [
            [f"{p}:{n}" for n in range(3)] for p in range(4)
        ]
        assert await xreads(redis) == 1


async def test_who_finds_nothing_asks_again_with_the_others(redis: Redis) -> None:
    """A partition without events is not given to another's, and has its own as soon as they come."""
    async with quick(redis) as tails:
        reading = asyncio.create_task(tails.read(0, START, TOGETHER, FOREVER_MS))
        await add(redis, 1)
        [(last, _)] = await tails.read(1, START, TOGETHER, FOREVER_MS)
        more = asyncio.create_task(tails.read(1, following(last), TOGETHER, FOREVER_MS))
        await add(redis, 0)
        assert [fields for _, fields in await reading] == [{b"e": b"0:0"}]
        more.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await more
        await add(redis, 0)
        assert len(await tails.read(0, START, TOGETHER, FOREVER_MS)) == 2


async def test_a_quiet_stream_is_waited_for_with_one_call(redis: Redis) -> None:
    """Where little comes each waits for its own, and is answered at once; nobody asks again and again."""
    tails = Tails(redis)
    await redis.config_resetstat()
    reading = asyncio.create_task(tails.read(0, START, TOGETHER, FOREVER_MS))
    await asyncio.sleep(2 * QUICK_S)
    await add(redis, 0)
    assert len(await reading) == 1
    assert await xreads(redis) == 1
    assert await tails.read(1, START, TOGETHER, 20) == []


async def test_a_read_ends_in_time_however_much_comes_for_others(redis: Redis) -> None:
    """Who has to look after parked sites is not kept waiting."""
    async with quick(redis) as tails, asyncio.timeout(FOREVER_MS / 1_000):
        assert await tails.read(0, START, TOGETHER, 20) == []


async def test_a_damaged_stream_is_told_to_its_own_partition_alone(redis: Redis) -> None:
    """What the server refuses to read fails a common read; the others have their events nevertheless."""
    async with quick(redis) as tails:
        await redis.set(keys.events(0), "no stream")
        await add(redis, 1)
        for _ in range(2):
            damaged, well = await asyncio.gather(
                tails.read(0, START, TOGETHER, FOREVER_MS),
                tails.read(1, START, TOGETHER, FOREVER_MS),
                return_exceptions=True,
            )
            assert isinstance(damaged, ResponseError)
            assert not isinstance(well, BaseException)
            assert len(well) == 1
        await redis.delete(keys.events(0))
        await add(redis, 0)
        assert len(await tails.read(0, START, TOGETHER, FOREVER_MS)) == 1
