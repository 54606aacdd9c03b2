"""Several workers, and a Redis that goes away: each partition has one sender, and nothing is repeated or lost."""

import asyncio
import time

import pytest
import redis as sync_redis

from relay.queue import keys, leases
from relay.queue.ledger import look
from relay.queue.stored import StoredEvent, partition_of
from tests.queue.samples import event_of, put, until
from tests.server import TestServer
from tests.workers.rig import Rig, open_rig
from workers.ownership import GRACE_S

VISITORS = 30


def round_of(n: int) -> list[StoredEvent]:
    """The nth event of every visitor."""
    return [event_of(f"e{n}", visitor) for visitor in range(VISITORS)]


def once_and_in_order(rig: Rig, rounds: int) -> None:
    """Every visitor's events were counted once, in the order of acceptance."""
    expected = [f"e{n}" for n in range(rounds)]
    assert rig.recorded() == {event.ip: expected for event in round_of(0)}


async def until_sent(rig: Rig, count: int) -> None:
    """Wait until so many events and one more arrived."""
    await until("it is under way", lambda: len(rig.seen()) > count)


async def test_two_workers_share_and_a_clean_stop_repeats_nothing(redis_url: str) -> None:
    """Two workers own half each; one that stops under load repeats nothing, and the other one takes over."""
    async with open_rig(redis_url) as rig:
        rig.fail({"delay_s": 0.2})  # four seconds of work: some is left when the second one has stopped
        async with rig.worker("first") as first:
            await until("it owns all", lambda: len(first.ownership.owned) == 4)
            async with rig.worker("second") as second:
                await until(
                    "they share",
                    lambda: len(first.ownership.owned) == len(second.ownership.owned) == 2,
                )
                assert not first.ownership.owned.keys() & second.ownership.owned.keys()
                await rig.accept(*(event for n in range(20) for event in round_of(n)))
                await until("both are sending", lambda: first.dispatcher.in_flight and second.dispatcher.in_flight)
            assert second.unfinished == 0
            assert (await rig.account())["pending"] > 0
            rig.fail()
            await rig.accept(*round_of(20))
            await rig.settled()
            await until("it owns all again", lambda: len(first.ownership.owned) == 4)
        assert (await look(rig.redis, 4)).owned == 0
        assert await rig.counter("repeated") == 0
        once_and_in_order(rig, 21)


async def test_a_worker_that_starts_takes_over_in_order(redis_url: str) -> None:
    """What one worker left, the next one delivers, before anything newer."""
    async with open_rig(redis_url) as rig:
        for n, name in enumerate(("first", "second", "third")):
            for five in range(5):
                await rig.accept(*round_of(5 * n + five))
            enough = (5 * n + 2) * VISITORS
            async with rig.worker(name, concurrency=4):
                await until_sent(rig, enough)
        async with rig.worker("last"):
            await rig.settled()
        assert await rig.counter("repeated") == 0
        once_and_in_order(rig, 15)


async def test_a_restart_of_redis_under_load_repeats_and_loses_nothing(own_server: TestServer) -> None:
    """Redis is stopped and started again while a worker delivers: each event arrives once, in order."""
    async with open_rig(own_server.url) as rig:
        rig.fail({"delay_s": 0.005})
        for n in range(30):
            await rig.accept(*round_of(n))
        async with rig.worker() as runtime:
            for share in (0.1, 0.4):
                await until_sent(rig, int(share * 30 * VISITORS))
                await asyncio.to_thread(own_server.stop)
                await until("deliveries pause", lambda: not runtime.dispatcher.in_flight)
                await asyncio.to_thread(own_server.start)
            assert len(rig.seen()) < 30 * VISITORS
            await rig.settled(within_s=20.0)
        assert await rig.counter("repeated") == 0
        assert (await rig.account())["delivered"] == 30 * VISITORS
        once_and_in_order(rig, 30)


async def test_a_kill_of_redis_under_load_repeats_and_loses_nothing(own_server: TestServer) -> None:
    """The same with a crash: what was settled stays settled, what was not is said again, and counts once."""
    async with open_rig(own_server.url) as rig:
        rig.fail({"delay_s": 0.005})
        for n in range(20):
            await rig.accept(*round_of(n))
        async with rig.worker():
            await until_sent(rig, 5 * VISITORS)
            await asyncio.to_thread(own_server.kill)
            await asyncio.to_thread(own_server.start)
            await rig.settled(within_s=20.0)
        assert (await rig.account())["delivered"] == 20 * VISITORS
        once_and_in_order(rig, 20)


async def test_a_queue_that_returns_leaves_each_owner_its_time(
    own_server: TestServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker takes at once what was its own, and not what once was: its owner knows what it delivered meanwhile."""

    async def crashed() -> None:
        """Let the queue go away and come back without a lease, and without a heartbeat."""
        caplog.clear()
        own_server.kill()
        await until("it noticed", lambda: "the queue is away" in caplog.text)
        own_server.start()  # no worker runs meanwhile
        with sync_redis.Redis.from_url(own_server.url) as server:
            server.delete(keys.WORKERS, *(keys.owner(p) for p in range(4)))

    async with open_rig(own_server.url) as rig, rig.worker() as runtime:
        owned = runtime.ownership.owned
        await until("it owns all", lambda: len(owned) == 4)
        before = dict(owned)
        await crashed()
        await until("it owns all again", lambda: len(owned) == 4 and not owned.items() & before.items())
        while len(owned) > 2:
            await leases.heartbeat(rig.redis, "another", "{}", [])
            await asyncio.sleep(0.05)
        await crashed()
        back_s = time.monotonic()
        await until("it owns all once more", lambda: len(owned) == 4)
        assert time.monotonic() - back_s >= GRACE_S


async def test_a_new_worker_leaves_who_is_silent_his_time(redis_url: str) -> None:
    """The queue may have been away until now: he knows what he delivered, and the new one would send it again."""
    async with open_rig(redis_url) as rig:
        seconds, _ = await rig.redis.time()
        await rig.redis.zadd(keys.WORKERS, {"another": (seconds - 10) * 1_000})
        began_s = time.monotonic()
        async with rig.worker() as runtime:
            await until("it owns all", lambda: len(runtime.ownership.owned) == 4)
            assert time.monotonic() - began_s >= GRACE_S


async def test_a_worker_that_lost_a_lease_stops_sending(redis_url: str) -> None:
    """A partition that somebody else owns is left alone, whatever comes into it, until it is free again."""
    async with open_rig(redis_url) as rig, rig.worker() as runtime:
        await until("it owns all", lambda: len(runtime.ownership.owned) == 4)
        stolen = event_of("stolen", 0)
        partition = partition_of(stolen, 4)
        await rig.redis.set(keys.owner(partition), "somebody.else", px=60_000)
        await until("it noticed", lambda: len(runtime.ownership.owned) == 3)
        await rig.accept(stolen, *(event_of("free", n) for n in range(1, VISITORS)))
        mine = [n for n in range(1, VISITORS) if partition_of(event_of("free", n), 4) != partition]
        await rig.settled(VISITORS - len(mine))
        assert len(rig.seen()) == len(mine)
        await rig.redis.delete(keys.owner(partition))
        await rig.settled()
        assert len(rig.seen()) == VISITORS
        assert await rig.counter("repeated") == 0


async def test_a_lease_that_vanished_is_taken_again(redis_url: str) -> None:
    """When Redis forgot all leases, as after a failover, the worker takes its partitions again and repeats nothing."""
    async with open_rig(redis_url) as rig:
        rig.fail({"delay_s": 0.01})
        for n in range(10):
            await rig.accept(*round_of(n))
        async with rig.worker() as runtime:
            await until_sent(rig, VISITORS)
            owned = dict(runtime.ownership.owned)
            await rig.redis.delete(*(keys.owner(p) for p in range(4)))
            await until("it noticed", lambda: not owned.items() & runtime.ownership.owned.items())
            await rig.settled()
        assert await rig.counter("repeated") == 0
        once_and_in_order(rig, 10)


async def test_what_two_workers_sent_is_counted_once_and_seen(redis_url: str) -> None:
    """An event in flight when its lease is lost may be sent by both: it counts once, and `repeated` tells of it."""
    async with open_rig(redis_url, answer_timeout_s=10.0) as rig:
        rig.fail({"delay_s": 1.0, "count": 1})
        await rig.accept(event_of("twice", 0))
        async with rig.worker("first") as first:
            await until("it is on its way", lambda: first.dispatcher.in_flight)
            partition = partition_of(event_of("twice", 0), 4)
            await rig.redis.set(keys.owner(partition), "second", px=60_000)
            await until("it noticed", lambda: len(first.ownership.owned) < 4)
            await rig.redis.delete(keys.owner(partition))
            async with rig.worker("second"):
                await rig.settled()
            await until("the first says so too", lambda: not first.unfinished)
            assert (await rig.account())["delivered"] == 1
            assert await rig.counter("repeated") == len(rig.seen()) - 1


async def test_nothing_is_sent_on_a_lease_that_may_have_ended(own_server: TestServer) -> None:
    """When Redis freezes, sending ends before the leases do, by the worker's own clock; nothing is repeated after."""
    async with open_rig(own_server.url) as rig:
        rig.fail({"delay_s": 0.2})
        for n in range(60):
            await put(rig.redis, 4, *round_of(n))
        async with rig.worker(concurrency=10_000) as runtime:
            await until_sent(rig, VISITORS)
            own_server.freeze()
            frozen_s = time.time()
            await until("sending ended", lambda: runtime.unfinished and not runtime.dispatcher.in_flight)
            assert max(entry.arrival.at_s for entry in rig.seen()) < frozen_s + leases.TTL_MS / 1_000
            rig.fail()
            own_server.thaw()
            await rig.settled(within_s=20.0)
        assert await rig.counter("repeated") == 0
        once_and_in_order(rig, 60)
