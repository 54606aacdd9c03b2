"""Events that share an entry are delivered, tried again and given up one by one, whoever owns them meanwhile."""

from relay.queue import keys
from relay.queue.bundle import count_in
from relay.queue.stored import StoredEvent
from relay.rules.judge import DeadReason
from tests.queue.samples import event_of, until
from tests.workers.rig import Rig, open_rig

NOW_MS = event_of().accepted_ms
POISON = {"status": 500, "match": {"name": "poison"}}
ADDRESS = "9.9.0.1"


def batch(count: int, *, poison: int | None = None, visitor: int = 0) -> list[StoredEvent]:
    """So many events of a visitor, e0 and on, of one moment; the one at that place is named poison."""
    names = ["poison" if n == poison else f"e{n}" for n in range(count)]
    return [event_of(name, visitor, accepted_ms=NOW_MS) for name in names]


async def entries(rig: Rig) -> list[int]:
    """How many events each pending entry has, settled ones too."""
    found = [entry for p in range(rig.settings.partitions) for entry in await rig.redis.xrange(keys.events(p))]
    return [count_in(fields[b"e"]) for _, fields in found]


async def test_a_batch_is_delivered_in_its_order(redis_url: str) -> None:
    """Of several visitors, each in his; and nothing is left of what they shared."""
    async with open_rig(redis_url, partitions=1) as rig:
        mixed = [event for some in zip(*(batch(50, visitor=n) for n in range(3)), strict=True) for event in some]
        await rig.accept_together(*mixed)
        assert await entries(rig) == [64, 64, 22]
        async with rig.worker():
            assert (await rig.settled())["delivered"] == 150
        assert list(rig.recorded().values()) == [[f"e{n}" for n in range(50)]] * 3
        assert await entries(rig) == []
        assert await rig.redis.hgetall(keys.bundles(0)) == {b"more": b"0"}  # type: ignore[misc]


async def test_a_successor_sends_only_the_rest(redis_url: str) -> None:
    """What a worker delivered of a shared entry is not sent again by the next, nor what it set aside forgotten."""
    async with open_rig(redis_url, retry_cap_s=30.0) as rig:
        rig.fail(POISON, {"status": 503, "match": {"name": "e7"}})
        await rig.accept_together(*batch(12, poison=2))
        async with rig.worker("first"):
            await rig.accept(*(event_of("free", n) for n in range(1, 40)))
            await until("only the rest is left", lambda: rig.recorded().get(ADDRESS, [])[-1:] == ["e6"])
            await until("the seventh was tried", lambda: rig.failures("e7") > 0)
        assert await entries(rig) == [12, 1]  # the poison event waits by itself, and has the others' company no more
        rig.fail()
        async with rig.worker("second"):
            await rig.settled()
        assert await rig.counter("repeated") == 0
        recorded = rig.recorded()[ADDRESS]
        assert [name for name in recorded if name != "poison"] == [f"e{n}" for n in range(12) if n != 2]
        assert recorded.count("poison") == 1
        assert await rig.notes() == []


async def test_a_poison_event_dies_alone(redis_url: str) -> None:
    """Its letter holds it and nothing else of its batch, and is sent again alone."""
    async with open_rig(redis_url, retry_for_s=0.3) as rig, rig.worker():
        rig.fail(POISON)
        await rig.accept_together(*batch(10, poison=4))
        await rig.accept(*(event_of("free", n) for n in range(1, 60)))
        assert await rig.settled() == {"accepted": 69, "delivered": 68, "dropped": 0, "dead": 1, "pending": 0}
        [letter] = await rig.letters()
        assert letter.reason == DeadReason.EXHAUSTED
        assert letter.event == event_of("poison", 0, accepted_ms=NOW_MS)
        assert rig.recorded()[ADDRESS] == [f"e{n}" for n in range(10) if n != 4]


async def test_a_damaged_batch_holds_up_nobody(redis_url: str) -> None:
    """Each event of it is told as dead, what comes behind is delivered, and all is accounted for."""
    async with open_rig(redis_url, partitions=1) as rig:
        await rig.accept_together(*batch(10))
        [(entry_id, fields)] = await rig.redis.xrange(keys.events(0))
        await rig.redis.xdel(keys.events(0), entry_id)
        await rig.redis.xadd(keys.events(0), {"e": fields[b"e"][:-2]})
        await rig.accept(event_of("next"))
        async with rig.worker():
            assert await rig.settled() == {"accepted": 11, "delivered": 1, "dropped": 0, "dead": 10, "pending": 0}
        assert {letter.reason for letter in await rig.letters()} == {DeadReason.UNREADABLE}


async def test_a_dead_sites_batches_leave_room_for_the_others(redis_url: str) -> None:
    """Shared entries are left and read again as others are, and each of their events goes out once."""
    heavy, light = "heavy.example", "light.example"
    async with open_rig(redis_url, partitions=1) as rig:
        rig.fail({"status": 500, "match": {"site": heavy}})
        for visitor in range(60):
            events = [
                event_of(f"e{n}", visitor, site=heavy, body=body_of(heavy, f"e{n}"), accepted_ms=NOW_MS)
                for n in range(60)
            ]
            await rig.accept_together(*events)
        await rig.accept(*(event_of(f"l{n}", 99, site=light, body=body_of(light, f"l{n}")) for n in range(5)))
        async with rig.worker():
            await until("the other site's events passed", lambda: len(rig.recorded().get("9.9.0.100", [])) == 5)
            rig.fail()
            await rig.settled(within_s=60.0)
        recorded = rig.recorded()
        assert await rig.counter("repeated") == 0
    assert [names for ip, names in recorded.items() if ip != "9.9.0.100"] == [[f"e{n}" for n in range(60)]] * 60


def body_of(site: str, name: str) -> bytes:
    """An event's body, of that site."""
    return b'{"name":"%b","url":"https://%b/","domain":"%b"}' % (name.encode(), site.encode(), site.encode())
