"""A poison event waits by itself: three quick attempts, then nobody waits for it, and in the end it is dead."""

import time

from relay.queue.claiming import Note, Outcome, read_after, settle
from relay.rules.judge import QUICK_ATTEMPTS, DeadReason
from tests.queue.samples import event_of, until
from tests.workers.rig import Rig, open_rig

POISON = {"status": 500, "match": {"name": "poison"}}


async def note_of(rig: Rig, note: Note) -> None:
    """Leave such a note with the only pending event, as an earlier owner of its partition would."""
    for partition in range(rig.settings.partitions):
        if await rig.redis.xlen(f"relay:{{{partition}}}:events"):
            [(entry_id, _), *_] = await read_after(rig.redis, partition, b"0-0", 1)
            await settle(rig.redis, {partition: [Outcome("again", entry_id, note.pack())]}, again=False)


async def test_a_poison_event_stops_holding_its_visitor(redis_url: str) -> None:
    """After three quick attempts its visitor's later events pass, in their order; other visitors never waited."""
    async with open_rig(redis_url, retry_cap_s=30.0) as rig, rig.worker():
        rig.fail(POISON)
        later = [event_of(f"e{n}", 0) for n in range(10)]
        await rig.accept(event_of("poison", 0), *later, *(event_of("free", n) for n in range(1, 60)))
        await rig.settled(1)
        assert rig.recorded()["9.9.0.1"] == [f"e{n}" for n in range(10)]
        assert rig.failures("poison") >= QUICK_ATTEMPTS
        [note] = await rig.notes()
        assert note.aside
        assert note.reason == "failing"
        rig.fail()
        await rig.settled()
        assert rig.recorded()["9.9.0.1"] == [*(f"e{n}" for n in range(10)), "poison"]


async def test_a_poison_event_ends_dead(redis_url: str) -> None:
    """After `retry_for` an event that fails alone is dead `exhausted`, with its attempts and its first failure."""
    began_ms = time.time_ns() // 1_000_000
    async with open_rig(redis_url, retry_for_s=0.3) as rig, rig.worker():
        rig.fail(POISON)
        await rig.accept(event_of("poison", 0), *(event_of("free", n) for n in range(1, 60)))
        assert await rig.settled() == {"accepted": 60, "delivered": 59, "dropped": 0, "dead": 1, "pending": 0}
        [letter] = await rig.letters()
        assert letter.reason == DeadReason.EXHAUSTED
        assert letter.detail.startswith("status 500")
        assert letter.attempts == rig.failures("poison") > QUICK_ATTEMPTS
        assert letter.first_failed_ms is not None
        assert letter.first_failed_ms >= began_ms
        assert letter.died_ms - letter.first_failed_ms >= 300


async def test_many_poison_events_end_dead(redis_url: str) -> None:
    """Poison events of many visitors all end dead while others pass, and hold up nobody."""
    async with open_rig(redis_url, retry_for_s=0.3) as rig, rig.worker():
        rig.fail(POISON)
        await rig.accept(*(event_of(name, n) for n in range(10) for name in ("before", "poison", "after")))
        for n in range(10, 10_000, 20):
            await rig.accept(*(event_of("free", free) for free in range(n, n + 20)))
            if (await rig.account())["dead"] == 10:
                break
        await rig.settled()
        recorded = rig.recorded()
        assert [recorded[event_of(visitor=n).ip] for n in range(10)] == [["before", "after"]] * 10


async def test_a_lone_visitors_poison_event_ends_dead(redis_url: str) -> None:
    """With only one visitor and nothing else going on his later events tell poison from an outage."""
    async with open_rig(redis_url, retry_for_s=0.3) as rig, rig.worker():
        rig.fail(POISON)
        await rig.accept(event_of("poison", 0), *(event_of(f"e{n}", 0) for n in range(10)))
        assert await rig.settled() == {"accepted": 11, "delivered": 10, "dropped": 0, "dead": 1, "pending": 0}
        assert rig.recorded()["9.9.0.1"] == [f"e{n}" for n in range(10)]
        assert [letter.reason for letter in await rig.letters()] == [DeadReason.EXHAUSTED]


async def test_an_event_alone_in_the_world_is_never_given_up(redis_url: str) -> None:
    """With nothing at all to compare with a failure is an outage: the event waits, however long."""
    async with open_rig(redis_url, retry_for_s=0.1) as rig, rig.worker():
        rig.fail(POISON)
        await rig.accept(event_of("poison", 0))
        await until("it was tried for much longer", lambda: rig.failures("poison") >= 12)
        assert (await rig.account())["pending"] == 1
        rig.fail()
        assert (await rig.settled())["delivered"] == 1


async def test_what_waits_aside_survives_its_worker(redis_url: str) -> None:
    """A worker that takes over tries what was set aside again, and nobody waits for it."""
    async with open_rig(redis_url, retry_cap_s=30.0) as rig:
        rig.fail(POISON)
        async with rig.worker("first"):
            await rig.accept(event_of("poison", 0), event_of("e0", 0), *(event_of("free", n) for n in range(1, 40)))
            await rig.settled(1)
        [note] = await rig.notes()
        assert note.aside
        await rig.accept(event_of("e1", 0))
        async with rig.worker("second"):
            await rig.settled(1)
            assert rig.recorded()["9.9.0.1"] == ["e0", "e1"]
            rig.fail()
            await rig.settled()
            assert rig.recorded()["9.9.0.1"] == ["e0", "e1", "poison"]
            assert await rig.notes() == []


async def test_what_waits_aside_waits_for_its_time(redis_url: str) -> None:
    """The next attempt comes at the time that an earlier worker noted, not at once and not much later."""
    async with open_rig(redis_url) as rig:
        await rig.accept(event_of("poison", 0))
        due_s = time.time() + 0.5
        await note_of(rig, Note(5, 1_000, int(due_s * 1_000), "failing", aside=True))
        await rig.accept(event_of("e0", 0))
        async with rig.worker():
            await rig.settled(1)
            assert rig.recorded() == {"9.9.0.1": ["e0"]}
            await rig.settled()
        [_, poison] = rig.seen()
        assert due_s - 0.01 <= poison.arrival.at_s < due_s + 5.0


async def test_what_held_its_visitor_goes_on_holding(redis_url: str) -> None:
    """An event that failed once and was not set aside goes first after a takeover too, at its time."""
    async with open_rig(redis_url) as rig:
        await rig.accept(event_of("first", 0))
        due_s = time.time() + 0.5
        await note_of(rig, Note(1, int(time.time() * 1_000), int(due_s * 1_000), "failing", aside=False))
        await rig.accept(event_of("second", 0), event_of("free", 1))
        async with rig.worker():
            await rig.settled(2)
            assert rig.recorded() == {"9.9.0.2": ["free"]}
            await rig.settled()
        assert rig.recorded()["9.9.0.1"] == ["first", "second"]
        assert rig.seen()[1].arrival.at_s >= due_s - 0.01
