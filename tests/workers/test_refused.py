"""A queue that refuses what one partition wants written: the others' outcomes are, and nothing is lost or repeated."""

from relay.queue import keys
from tests.queue.samples import event_of, until
from tests.workers.rig import Rig, open_rig

VISITORS, CONCURRENCY = 60, 8


async def spoil(rig: Rig, partition: int) -> None:
    """Let something that is no stream stand in the place of the partition's events."""
    await rig.redis.rename(keys.events(partition), "kept")
    await rig.redis.set(keys.events(partition), "damaged")


async def mend(rig: Rig, partition: int) -> None:
    """Put the events back."""
    await rig.redis.rename("kept", keys.events(partition))


async def test_a_partition_that_cannot_settle_holds_up_no_other(redis_url: str) -> None:
    """While the outcomes of one partition can't be written all others are, however many wait; after that they are, too.

    The damaged one sends no more than it had under way, as each of these would be repeated after a crash.
    """
    async with open_rig(redis_url, partitions=2, concurrency=CONCURRENCY) as rig:
        await rig.accept(*(event_of(f"e{n}", visitor) for n in range(3) for visitor in range(VISITORS)))
        healthy = await rig.redis.xlen(keys.events(1))
        rig.fail({"delay_s": 0.5})
        async with rig.worker() as runtime:
            owned = runtime.ownership.owned
            await until("both are in the house", lambda: len(owned) == 2 and all(p.unfinished for p in owned.values()))
            await until("it is full", lambda: runtime.dispatcher.in_flight == CONCURRENCY)
            before = len(rig.seen())
            await spoil(rig, 0)
            rig.fail()

            async def passed() -> bool:
                return bool(await rig.redis.xlen(keys.events(1)) == 0)

            await until("the other one's are settled", passed)
            assert healthy <= len(rig.seen()) <= before + healthy + 2 * CONCURRENCY
            assert 0 < runtime.settler.unsettled <= 2 * CONCURRENCY
            await mend(rig, 0)
            assert (await rig.settled())["delivered"] == 3 * VISITORS
        assert await rig.counter("repeated") == 0
        assert len(rig.seen()) == 3 * VISITORS
