"""An item with a key is kept once, whatever its sender repeats and whatever happens in between."""

import asyncio

import orjson
import pytest
from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.audit import audit
from relay.queue.once import Item, Once, Receipt
from relay.queue.stored import StoredEvent, partition_of
from relay.queue.waiting import UnavailableError
from tests.queue.samples import committing, event_of, ledger

P = 4


def item(key: str | None = "key", *events: StoredEvent, body: bytes = b"", scope: str = "shop") -> Item:
    """An item with that key."""
    events = events or (event_of(),)
    return Item(events, None if key is None else Once(scope, key, body or events[0].body))


async def counted(redis: Redis) -> int:
    """How many repeats the ledger has."""
    return sum([int(await redis.hget(keys.ledger(p), "duplicates") or 0) for p in range(P)])  # type: ignore[misc]


async def test_a_repeat_is_a_duplicate(redis: Redis) -> None:
    """The first is kept and counted as accepted, the second only as a duplicate, also from elsewhere."""
    async with committing(redis, P) as committer:
        assert await committer.put_items([item()]) == [Receipt.ACCEPTED]
        for visitor in range(20):
            assert await committer.put_items([item("key", event_of("pageview", visitor))]) == [Receipt.DUPLICATE]
    assert (await ledger(redis, P))["accepted"] == 1
    assert await counted(redis) == 20


async def test_another_body_is_a_conflict(redis: Redis) -> None:
    """Nothing of the second is kept, not even for those of its sites that are new to the key."""
    sites = [event_of("pageview", n, site=f"{n}.example") for n in range(5)]
    async with committing(redis, P) as committer:
        assert await committer.put_items([item("key", sites[4])]) == [Receipt.ACCEPTED]
        assert await committer.put_items([item("key", *sites, body=b"{}")]) == [Receipt.CONFLICT]
    assert (await ledger(redis, P))["accepted"] == 1
    assert await counted(redis) == 0


async def test_each_item_of_a_call_has_its_receipt(redis: Redis) -> None:
    """Items without a key are always kept, and those of one call are seen in their order."""
    other = event_of("other")
    given = [item(None), item("a"), item(None), item("a"), item("a", other), item("b", other), item("a", scope="ios")]
    async with committing(redis, P) as committer:
        receipts = await committer.put_items(given)
    a, d, c = Receipt.ACCEPTED, Receipt.DUPLICATE, Receipt.CONFLICT
    assert receipts == [a, a, a, d, c, a, a]
    assert (await ledger(redis, P))["accepted"] == 5


async def test_an_item_of_no_site_is_no_repeat(redis: Redis) -> None:
    """There is nothing to keep of it, with a key or without, first or between others."""
    empty = Item((), Once("shop", "key", b"{}"))
    async with committing(redis, P) as committer:
        assert await committer.put_items([empty]) == [Receipt.ACCEPTED]
        assert await committer.put_items([empty, item("a"), empty, Item(())]) == [Receipt.ACCEPTED] * 4
        assert await committer.put_items([]) == []
    assert (await ledger(redis, P))["accepted"] == 1


async def test_items_without_keys_are_kept_as_ever(redis: Redis) -> None:
    """A call without any key costs what it did; a damaged partition fails its own items only."""
    events = [event_of("pageview", n) for n in range(40)]
    async with committing(redis, P) as committer:
        assert await committer.put_items([Item([event]) for event in events]) == [Receipt.ACCEPTED] * 40
        await redis.set(keys.events(2), "no stream")
        receipts = await committer.put_items([Item([event]) for event in events])
        assert [r is Receipt.UNAVAILABLE for r in receipts] == [partition_of(event, P) == 2 for event in events]
        damaged = next(event for event in events if partition_of(event, P) == 2)
        with pytest.raises(UnavailableError, match="did not take it: WRONGTYPE"):
            await committer.put_items([Item([damaged])])


async def test_an_event_for_several_sites_is_kept_once_for_each(redis: Redis) -> None:
    """The sites are one item: kept together, doubled ones too, and repeated together."""
    sites = [event_of("pageview", n, site=f"{n % 5}.example") for n in range(7)]
    async with committing(redis, P) as committer:
        assert await committer.put_items([item("key", *sites)]) == [Receipt.ACCEPTED]
        assert await committer.put_items([item("key", *sites)]) == [Receipt.DUPLICATE]
    assert (await ledger(redis, P))["accepted"] == 7
    assert await counted(redis) == 7


async def test_a_call_larger_than_a_script_is_kept_whole(redis: Redis) -> None:
    """However many items a call has, each has its receipt, in order, and no item is torn apart."""
    sites = [event_of("x", n, site=f"{n}.example") for n in range(3)]
    many = [item(f"key{n % 700}", *sites[: n % 700 % 3 + 1]) for n in range(1_400)]
    async with committing(redis, P) as committer:
        receipts = await committer.put_items(many)
    assert receipts == [Receipt.ACCEPTED] * 700 + [Receipt.DUPLICATE] * 700
    assert (await ledger(redis, P))["accepted"] == sum(len(each.events) for each in many[:700])


async def test_two_doors_race(redis: Redis) -> None:
    """Of many at the same moment, at two doors, exactly one is the first."""
    body = orjson.dumps({"name": "x"})
    async with committing(redis, P) as one, committing(redis, P) as other:
        puts = [
            door.put_items([item(f"key{n % 10}", event_of("x", n), body=body)])
            for n in range(500)
            for door in (one, other)
        ]
        receipts = [receipt for (receipt,) in await asyncio.gather(*puts)]
    assert receipts.count(Receipt.ACCEPTED) == 10
    assert receipts.count(Receipt.DUPLICATE) == 990
    assert (await ledger(redis, P))["accepted"] == 10
    assert (await audit(redis, P)).differences == []
