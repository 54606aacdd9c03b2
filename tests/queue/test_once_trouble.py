"""A key in trouble: whatever dies, freezes or is full in between, nothing is lost by it, and nothing kept twice."""

import asyncio

import pytest
from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.committing import Committer
from relay.queue.connection import connect
from relay.queue.ledger import pending_in
from relay.queue.once import Receipt
from relay.queue.stored import partition_of
from relay.queue.waiting import UnavailableError
from tests.queue.samples import committing, event_of, ledger, pending, until
from tests.queue.test_once import P, counted, item
from tests.server import TestServer


async def receipt_of(committer: Committer, key: str, visitor: int = 0, **fields: object) -> Receipt:
    """What becomes of one event with a key; UNAVAILABLE if the whole call failed."""
    try:
        (receipt,) = await committer.put_items([item(key, event_of(key, visitor, **fields))])
    except UnavailableError:
        return Receipt.UNAVAILABLE
    return receipt


async def kept(redis: Redis) -> list[bytes]:
    """The bodies of all pending events."""
    return [event.body for p in range(P) for _, event in await pending(redis, p)]


async def test_a_key_survives_a_restart(own_server: TestServer) -> None:
    """A clean stop and a kill of the server forget nothing."""
    redis = connect(own_server.url)
    async with committing(redis, P) as committer:
        assert await receipt_of(committer, "key") is Receipt.ACCEPTED
        for end in (own_server.stop, own_server.kill):
            end()
            own_server.start()
            await until("an answer", lambda: has_answer(committer))
            assert await receipt_of(committer, "key", 7) is Receipt.DUPLICATE
        assert (await kept(redis)).count(event_of("key").body) == 1
    await redis.aclose()


async def has_answer(committer: Committer) -> bool:
    """Whether the server takes events again."""
    return await receipt_of(committer, "another") is not Receipt.UNAVAILABLE


async def test_a_storm_of_repeats_over_a_kill(own_server: TestServer) -> None:
    """Repeated until they are accepted, through a SIGKILL of the server, at two doors: each is there once."""
    redis = connect(own_server.url)
    firsts: list[str] = []

    async def insist(committer: Committer, key: str, visitor: int) -> None:
        async def answer() -> Receipt | None:
            receipt = await receipt_of(committer, key, visitor)
            return None if receipt is Receipt.UNAVAILABLE else receipt

        receipt = await until(f"an answer for {key}", answer, within_s=20.0)
        assert receipt is not Receipt.CONFLICT
        firsts.extend([key] if receipt is Receipt.ACCEPTED else [])

    async with committing(redis, P) as one, committing(redis, P) as other:
        told = [f"key{n}" for n in range(300)]
        senders = [asyncio.create_task(insist(door, key, n)) for n in range(4) for key in told for door in (one, other)]
        await until("some are accepted", lambda: len(firsts) > 50)
        await asyncio.to_thread(own_server.kill)
        own_server.start()
        await asyncio.gather(*senders)
        assert sorted(await kept(redis)) == sorted(event_of(key).body for key in told)
        assert len(firsts) == len(set(firsts))
        assert (await ledger(redis, P))["accepted"] == len(told)
    await redis.aclose()


async def test_a_frozen_server_may_have_kept_it(own_server: TestServer) -> None:
    """What was refused for want of an answer, and carried out afterwards, is a duplicate when it is sent again."""
    redis = connect(own_server.url)
    async with committing(redis, P) as committer:
        assert await receipt_of(committer, "before") is Receipt.ACCEPTED
        own_server.freeze()
        assert await receipt_of(committer, "key") is Receipt.UNAVAILABLE
        own_server.thaw()
        await until("it was carried out", lambda: redis.exists(item("key").once.record("example.com")))  # type: ignore[union-attr]
        assert await receipt_of(committer, "key", 9) is Receipt.DUPLICATE
        assert (await kept(redis)).count(event_of("key").body) == 1
    await redis.aclose()


async def test_a_full_memory_remembers_nothing_it_did_not_keep(redis: Redis) -> None:
    """What a full server refuses is a first event when there is room again; what it knows it can't say."""
    async with committing(redis, P) as committer:
        assert await receipt_of(committer, "known") is Receipt.ACCEPTED
        await redis.config_set("maxmemory", "1mb")
        try:
            assert await receipt_of(committer, "key") is Receipt.UNAVAILABLE
        finally:
            await redis.config_set("maxmemory", "0")
        assert await receipt_of(committer, "key") is Receipt.ACCEPTED
        assert await receipt_of(committer, "known") is Receipt.DUPLICATE
    assert (await ledger(redis, P))["accepted"] == 2


async def test_a_key_is_forgotten_in_time(redis: Redis) -> None:
    """After its time the same key is a new event, with any body."""
    async with committing(redis, P) as committer:
        committer.keep_ms = 300
        assert await receipt_of(committer, "key") is Receipt.ACCEPTED
        record = item("key").once.record("example.com")  # type: ignore[union-attr]
        assert await redis.pttl(record) <= 300
        await until("it is forgotten", lambda: gone(redis, record))
        assert await receipt_of(committer, "key", body=b"{}") is Receipt.ACCEPTED


async def gone(redis: Redis, name: str) -> bool:
    """Whether there is no such key."""
    return not await redis.exists(name)


async def test_a_partition_that_fails_fails_its_own_items_only(redis: Redis) -> None:
    """The others of the call are kept; what failed is kept when it is sent again, and no site of it twice."""
    events = [event_of("pageview", n, site=f"{n}.example") for n in range(40)]
    single = [item(f"key{n}", event) for n, event in enumerate(events)]
    await redis.set(keys.events(2), "no stream")
    async with committing(redis, P) as committer:
        receipts = await committer.put_items(single)
        for event, receipt in zip(events, receipts, strict=True):
            damaged = partition_of(event, P) == 2
            assert receipt is (Receipt.UNAVAILABLE if damaged else Receipt.ACCEPTED)
        with pytest.raises(UnavailableError, match="did not take it: WRONGTYPE"):
            await committer.put_items([item("all", *events)])
        await redis.delete(keys.events(2))
        again = await committer.put_items(single)
        assert [receipt is Receipt.DUPLICATE for receipt in again] == [r is Receipt.ACCEPTED for r in receipts]
        assert await committer.put_items([item("all", *events)]) == [Receipt.ACCEPTED]
    assert (await ledger(redis, P))["accepted"] == 2 * len(events)
    assert await counted(redis) > 0


@pytest.mark.parametrize("name", ["ledger", "tally"])
async def test_a_partition_that_cannot_be_counted_fails_its_own_items_only(redis: Redis, name: str) -> None:
    """What was written and not counted is not acknowledged, and known when it is sent again; all others are counted."""
    events = [event_of("pageview", n, site=f"{n}.example") for n in range(40)]
    single = [item(f"key{n}", event) for n, event in enumerate(events)]
    damaged = [partition_of(event, P) == 2 for event in events]
    hour = events[0].accepted_ms // 3_600_000
    await redis.set(keys.ledger(2) if name == "ledger" else keys.tally(2, hour), "no hash")
    async with committing(redis, P) as committer:
        receipts = await committer.put_items(single)
        assert [receipt is Receipt.UNAVAILABLE for receipt in receipts] == damaged
        assert set(receipts) == {Receipt.UNAVAILABLE, Receipt.ACCEPTED}
        await redis.delete(keys.ledger(2), keys.tally(2, hour))
        assert await committer.put_items(single) == [Receipt.DUPLICATE] * len(events)
    for p in set(range(P)) - {2}:
        accepted = await redis.hget(keys.ledger(p), "accepted")  # type: ignore[misc] # its stub says: or a value
        assert int(accepted or 0) == await redis.xlen(keys.events(p))
    assert await redis.xlen(keys.events(2)) == sum(damaged)


async def test_scripts_may_vanish(redis: Redis) -> None:
    """After SCRIPT FLUSH one call is refused; sent again, it is kept."""
    async with committing(redis, P) as committer:
        assert await receipt_of(committer, "before") is Receipt.ACCEPTED
        await redis.script_flush()
        assert await receipt_of(committer, "key") is Receipt.UNAVAILABLE
        assert await receipt_of(committer, "key") is Receipt.ACCEPTED


async def test_events_with_and_without_keys_share_their_writes(redis: Redis) -> None:
    """Side by side at one door each gets its own answer, and the backlog knows them all."""
    async with committing(redis, P) as committer:
        plain = [committer.put([event_of("plain", n)]) for n in range(50)]
        keyed = [receipt_of(committer, f"key{n % 25}") for n in range(50)]
        told = await asyncio.gather(*(put for pair in zip(plain, keyed, strict=True) for put in pair))
        assert told.count(None) == 50
        assert (told.count(Receipt.ACCEPTED), told.count(Receipt.DUPLICATE)) == (25, 25)
        assert sum(committer.backlog.values()) == 75 == (await ledger(redis, P))["accepted"]
        assert committer.written == {p: n for p, n in (await pending_in(redis, P)).items() if n}


async def test_wherever_the_log_ends_a_record_has_its_event(own_server: TestServer) -> None:
    """A log that a crash cut short, at whatever byte, has both or neither."""
    async with connect(own_server.url) as redis, committing(redis, P) as committer:
        await receipt_of(committer, "before")
        (log,) = (own_server.data / "appendonlydir").glob("*.incr.aof")
        begins = log.stat().st_size
        await receipt_of(committer, "key")
    own_server.kill()
    whole = log.read_bytes()
    found = set()
    for end in [*range(begins, len(whole), (len(whole) - begins) // 12), len(whole)]:
        log.write_bytes(whole[:end])
        own_server.start()
        async with connect(own_server.url) as redis:
            known = await redis.exists(item("key").once.record("example.com"))  # type: ignore[union-attr]
            found.add((known, (await kept(redis)).count(event_of("key").body)))
            assert (await ledger(redis, P))["accepted"] == 1 + known
        own_server.kill()
    assert found == {(0, 0), (1, 1)}
