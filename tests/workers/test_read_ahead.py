"""What a worker reads ahead: bounded, and no site's backlog fills it for the others."""

import tracemalloc

import orjson

from relay.queue import keys
from relay.queue.stored import StoredEvent, pack, pack_small
from tests.queue.samples import APART, PLAIN_ONLY, event_of, put, until
from tests.workers.rig import open_rig

HEAVY, LIGHT = "heavy.example", "light.example"


def at(site: str, name: str, visitor: int) -> StoredEvent:
    """An event of that site."""
    body = orjson.dumps({"name": name, "url": f"https://{site}/", "domain": site})
    return event_of(name, visitor, site=site, body=body)


async def test_a_dead_sites_backlog_leaves_room_for_the_others(redis_url: str) -> None:
    """Behind more events of a dead site than are read ahead, another site's pass; the rest follows in order later."""
    async with open_rig(redis_url, partitions=1) as rig:
        rig.fail({"status": 500, "match": {"site": HEAVY}})
        await rig.accept(at(LIGHT, "first", 9_000))
        for n in range(5):
            await rig.accept(*(at(HEAVY, f"e{n}", visitor) for visitor in range(1_000)))
        await rig.accept(*(at(LIGHT, f"l{n}", 9_001) for n in range(5)))
        async with rig.worker() as runtime:
            await until("the other site's events passed", lambda: len(rig.recorded().get("9.9.36.2", [])) == 5)
            [partition] = runtime.ownership.owned.values()
            assert sum(len(lane.entries) for lane in partition._lanes.values()) <= 1_000  # noqa: SLF001 - the bound
            rig.fail()
            rig.sandbox.book.clear()
            await rig.settled(within_s=60.0)
        recorded = rig.recorded()
    names = [names for names in recorded.values() if names[0].startswith("e")]
    assert len(names) == 1_000
    assert all(found == [f"e{n}" for n in range(5)] for found in names)


async def test_what_was_left_is_not_sent_twice(redis_url: str) -> None:
    """A heavy site that is well is left and read again many times on the way, and each event goes out once.

    In whatever form it is; of two that are damaged it is told.
    """
    async with open_rig(redis_url, partitions=1) as rig:
        heavy: list[StoredEvent] = []
        for n in range(4):
            heavy = [at(HEAVY, f"e{n}", visitor) for visitor in range(900)]
            await put(rig.redis, 1, *heavy, forms=PLAIN_ONLY if n == 2 else APART)
            await rig.accept(*(at(LIGHT, f"e{n}", 9_000 + visitor) for visitor in range(100)))
        for whole in (pack(heavy[0]), pack_small(heavy[0])):
            await rig.redis.xadd(keys.events(0), {"e": whole[:12]})
            await rig.redis.hincrby(keys.ledger(0), "accepted", 1)  # type: ignore[misc] # redis-py types both worlds
        async with rig.worker():
            assert (await rig.settled(within_s=60.0))["delivered"] == 4_000
        assert (await rig.counter("repeated"), await rig.counter("dead:unreadable")) == (0, 2)
        recorded = rig.recorded()
    assert len(recorded) == 1_000
    assert all(names == [f"e{n}" for n in range(4)] for names in recorded.values())


async def test_large_events_are_read_few_at_a_time(redis_url: str) -> None:
    """Hundreds of events of nearly a megabyte cost a worker some tens of megabytes, from the first read on."""
    body = orjson.dumps({"name": "big", "url": "https://example.com/", "domain": "example.com", "x": "x" * 900_000})
    async with open_rig(redis_url, partitions=1) as rig:
        for n in range(0, 200, 4):
            await rig.accept(*(event_of("big", visitor, body=body) for visitor in range(n, n + 4)))
        rig.fail({"status": 503})
        tracemalloc.start()
        try:
            async with rig.worker() as runtime:
                await until("it was tried", lambda: runtime.upstream.down)
                _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak_bytes < 80_000_000
