"""A retry of dead letters keeps its pace, never makes the queue long, and can be stopped at any moment."""

import asyncio
import time

from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.claiming import START, Outcome, read_after, settle
from relay.queue.dead import Which, dead_note
from relay.queue.ledger import look
from relay.queue.redrive import Pace, Redrive
from relay.queue.stored import unpack
from tests.queue.samples import event_of, ledger, put, until

P = 2


async def bury(redis: Redis, count: int) -> None:
    """Let that many events die, of so many visitors."""
    await put(redis, P, *(event_of("old", n) for n in range(count)))
    for partition in range(P):
        entries = await redis.xrange(keys.events(partition))
        note = dead_note("exhausted", "", 1, None)
        dead = [Outcome("dead", entry_id, note, unpack(fields[b"e"]).tally) for entry_id, fields in entries]
        await settle(redis, {partition: dead}, again=False)


async def pending(redis: Redis) -> int:
    """How many events wait."""
    return (await ledger(redis, P))["pending"]


async def test_a_retry_keeps_its_pace(redis: Redis) -> None:
    """200 a second are 20 in a tenth of it, and never many more."""
    await bury(redis, 100)
    redrive = Redrive(redis, P, Pace(rate_per_s=200.0))
    began_s = time.monotonic()
    running = asyncio.create_task(redrive.run(Which()))
    while not running.done():
        assert await pending(redis) <= 20 + 200 * (time.monotonic() - began_s) + 20
        await asyncio.sleep(0.02)
    assert time.monotonic() - began_s >= (100 - 20) / 200
    assert redrive.moved == await pending(redis) == 100


async def test_a_retry_waits_behind_a_long_queue(redis: Redis) -> None:
    """While as many wait as the pace allows none is sent, and that is told; never do more wait for its doing."""
    await bury(redis, 50)
    await put(redis, P, *(event_of("live", n) for n in range(30)))
    told: list[int] = []
    redrive = Redrive(redis, P, Pace(rate_per_s=1e9, max_pending=30), told.append)
    running = asyncio.create_task(redrive.run(Which()))
    await until("it waits", lambda: told)
    assert (told, redrive.moved, await pending(redis)) == ([30], 0, 30)
    names = set[str]()
    while redrive.moved < 50:
        names |= await _deliver_some(redis)
        assert await pending(redis) <= 30
        await asyncio.sleep(0.01)
    await running
    while await pending(redis):
        names |= await _deliver_some(redis)
    assert names == {"old", "live"}
    assert (await ledger(redis, P))["delivered"] == 80


async def _deliver_some(redis: Redis) -> set[str]:
    """A worker that takes what came first; no redriven letter is before a live event that waited."""
    found = set[str]()
    for partition in range(P):
        entries = await read_after(redis, partition, START, 5, block_ms=1)
        names = ["live" if b"live" in unpack(fields[b"e"]).body else "old" for _, fields in entries]
        assert names == sorted(names), "an old event stands before a live one that waited already"
        await settle(redis, {partition: [Outcome("delivered", entry_id) for entry_id, _ in entries]}, again=False)
        found |= set(names)
    return found


async def test_a_stop_leaves_each_letter_in_one_place(redis: Redis) -> None:
    """A stopped retry has moved what it says; the rest are letters, and another one finishes."""
    await bury(redis, 60)
    redrive = Redrive(redis, P, Pace(rate_per_s=100.0))
    running = asyncio.create_task(redrive.run(Which()))
    await until("some have moved", lambda: redrive.moved)
    redrive.stop.set()
    async with asyncio.timeout(5.0):
        assert await running is False
    assert 0 < redrive.moved < 60
    assert await ledger(redis, P) == {
        "accepted": 60, "delivered": 0, "dropped": 0, "dead": 60 - redrive.moved, "pending": redrive.moved
    }  # fmt: skip
    assert (await look(redis, P)).letters == 60 - redrive.moved
    rest = Redrive(redis, P, Pace(rate_per_s=1e9))
    assert await rest.run(Which()) is True
    assert rest.moved + redrive.moved == await pending(redis) == 60
