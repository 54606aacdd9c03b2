"""The audit finds every kind of damage and names it, and raises no false alarm, however busy the queue is."""

from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.audit import Audit, audit
from relay.queue.claiming import Outcome, settle
from relay.queue.dead import Which, dead_note, purge, retain
from relay.queue.differences import ADVICE, Kind
from relay.queue.ledger import look
from relay.queue.stored import pack, partition_of, unpack
from relay.queue.tallies import Tally, hours_kept, summed
from tests.queue.audited import NOTE, SITES, P, entry, found, lose_event, outcomes_of, some_of_everything, told_as
from tests.queue.samples import event_of, pending, put, put_together, retry


async def test_an_empty_data_set_agrees() -> None:
    """Every kind of difference says what would be right to do."""
    assert set(ADVICE) == set(Kind)


@pytest.mark.parametrize("write", [put, put_together])
async def test_what_nobody_damaged_agrees(redis: Redis, write: Callable[..., Awaitable[None]]) -> None:
    """An empty queue agrees; so does one with events in every state, and the audit says how much it looked at."""
    assert await audit(redis, P) == Audit(partitions=P)
    await some_of_everything(redis, write)
    told = await audit(redis, P)
    seen = await look(redis, P)
    assert (told.differences, told.not_compared) == ([], [])
    assert (told.pending, told.letters, told.scheduled) == (seen.pending, seen.letters, seen.failing)
    assert told.tallies > 9


@pytest.mark.parametrize("write", [put, put_together])
async def test_retention_agrees(redis: Redis, write: Callable[..., Awaitable[None]]) -> None:
    """Letters that go past what is kept are as good as purged ones."""
    await some_of_everything(redis, write)
    assert await retain(redis, P, keep_s=60.0, keep_count=3)
    assert await found(redis) == []


async def test_what_waits_for_longer_than_tallies_are_kept_agrees(redis: Redis) -> None:
    """An event whose hour was forgotten is not missed there; one of a younger hour without a tally is."""
    old, young = event_of("old", 1, accepted_ms=event_of().accepted_ms - 41 * 86_400_000), event_of("young", 2)
    await put(redis, P, old, young)
    for event in (old, young):
        hour, _ = event.tally
        await redis.delete(*(keys.tally(p, hour) for p in range(P)))
        differences = await found(redis)
        assert told_as(differences) == ({(Kind.TALLY, partition_of(young, P), 1)} if event is young else set())


async def test_sites_beyond_those_counted_apart_agree(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made-up sites share a tally, and their events are recounted under it."""
    monkeypatch.setattr(keys, "PUT", keys.PUT.replace(f"> {keys.TALLY_FIELDS}", "> 5"))
    monkeypatch.setattr(keys, "SETTLE", keys.SETTLE.replace(f"> {keys.TALLY_FIELDS}", "> 5"))
    await put(redis, P, *(event_of("x", n, site=f"{n}.example") for n in range(60)))
    for partition in range(P):
        entries = await pending(redis, partition, 8)
        lines = outcomes_of(entries[:4], "delivered") + outcomes_of(entries[4:], "dead")
        await settle(redis, {partition: lines}, again=False)
    assert (await summed(redis, P, 0, lambda place: place[1] == keys.OTHER_SITES))[True].accepted == 60 - 5 * P
    assert await found(redis) == []


async def test_events_of_a_newer_form_agree_once_they_are_dead(redis: Redis) -> None:
    """What this relay cannot read is named while it is kept, and then no tally is held against it."""
    await put(redis, P, event_of("later", 1))
    [partition] = [p for p in range(P) if await redis.xlen(keys.events(p))]
    [(entry_id, _)] = await redis.xrange(keys.events(partition))
    await redis.xdel(keys.events(partition), entry_id)
    new_id = (await redis.xadd(keys.events(partition), {"e": b"2[]\n{}"})).decode()
    differences = await found(redis)
    assert told_as(differences) == {(Kind.UNREADABLE, partition, 1)}
    assert f"{partition}:{new_id}" in differences[0].says
    lines = [Outcome("dead", new_id.encode(), dead_note("unreadable", "unknown form", 0, None))]
    await settle(redis, {partition: lines}, again=False)
    assert told_as(await found(redis)) == {(Kind.UNREADABLE, partition, 1)}
    await purge(redis, P, Which())
    assert await found(redis) == []


async def test_what_an_older_relay_could_not_read_is_sent_again_and_agrees(redis: Redis) -> None:
    """It was counted dead at no hour and site, so there it does not come back from the dead either."""
    await put(redis, P, event_of("newer", 1))
    [partition] = [p for p in range(P) if await redis.xlen(keys.events(p))]
    [(entry_id, _)] = await redis.xrange(keys.events(partition))
    note = dead_note("unreadable", "unknown form", 0, None)
    await settle(redis, {partition: [Outcome("dead", entry_id, note)]}, again=False)
    assert await found(redis) == []
    assert await retry(redis, P, Which(reason="unreadable")) == 1
    assert await found(redis) == []
    [(entry_id, fields)] = await redis.xrange(keys.events(partition))
    delivered = Outcome("delivered", entry_id, tally=unpack(fields[b"e"]).tally)
    await settle(redis, {partition: [delivered]}, again=False)
    assert await found(redis) == []
    assert list((await summed(redis, P, 0, lambda place: place)).values()) == [Tally(accepted=1, delivered=1)]


async def _foreign_event(redis: Redis) -> set[tuple[Kind, int, int]]:
    await redis.xadd(keys.events(1), {"e": (await entry(redis, 1))[1][b"e"]})
    return {(Kind.BALANCE, 1, 1), (Kind.TALLY, 1, 1)}


async def _bumped_counter(redis: Redis) -> set[tuple[Kind, int, int]]:
    await redis.hincrby(keys.ledger(2), "delivered", 7)  # type: ignore[misc]
    return {(Kind.BALANCE, 2, 7)}


async def _bumped_reason(redis: Redis) -> set[tuple[Kind, int, int]]:
    await redis.hincrby(keys.ledger(0), "dropped:bot", 2)  # type: ignore[misc]
    return {(Kind.REASONS, 0, 2)}


async def _lost_letter(redis: Redis) -> set[tuple[Kind, int, int]]:
    [(entry_id, _)] = await redis.xrange(keys.dead(0), count=1)
    await redis.xdel(keys.dead(0), entry_id)
    return {(Kind.LETTERS, 0, -1), (Kind.TALLY, 0, -1)}


async def _letter_too_much(redis: Redis) -> set[tuple[Kind, int, int]]:
    [(_, fields)] = await redis.xrange(keys.dead(0), count=1)
    for _ in range(20):
        await redis.xadd(keys.dead(0), fields)
    return {(Kind.LETTERS, 0, 20), (Kind.TALLY, 0, 20)}


async def _orphan(redis: Redis) -> set[tuple[Kind, int, int]]:
    await redis.hset(keys.retry(2), mapping={"1-1": NOTE, "no id": NOTE})  # type: ignore[misc]
    return {(Kind.SCHEDULE, 2, 2)}


async def _damaged_note(redis: Redis) -> set[tuple[Kind, int, int]]:
    [entry_id, *_] = await redis.hkeys(keys.retry(2))  # type: ignore[misc]
    await redis.hset(keys.retry(2), entry_id, "{")  # type: ignore[misc]
    return {(Kind.SCHEDULE, 2, 1)}


async def _corrupt_event(redis: Redis) -> set[tuple[Kind, int, int]]:
    entry_id, fields = await entry(redis, 1)
    await redis.xdel(keys.events(1), entry_id)
    await redis.xadd(keys.events(1), {"e": fields[b"e"][:-1]})
    return {(Kind.UNREADABLE, 1, 1)}


async def _corrupt_letter(redis: Redis) -> set[tuple[Kind, int, int]]:
    [(entry_id, fields)] = await redis.xrevrange(keys.dead(1), count=1)
    await redis.xdel(keys.dead(1), entry_id)
    await redis.xadd(keys.dead(1), {"e": fields[b"e"], "n": b"{"})
    return {(Kind.UNREADABLE, 1, 1)}


async def _moved_event(redis: Redis) -> set[tuple[Kind, int, int]]:
    entry_id, fields = await entry(redis, 1)
    await redis.xdel(keys.events(1), entry_id)
    await redis.xadd(keys.events(2), {"e": fields[b"e"]})
    return {
        (Kind.MISPLACED, 2, 1),
        *((kind, partition, by) for kind in (Kind.BALANCE, Kind.TALLY) for partition, by in ((1, -1), (2, 1))),
    }


async def _wrong_tally(redis: Redis) -> set[tuple[Kind, int, int]]:
    [hour, *_] = (await hours_kept(redis))[0]
    await redis.hincrby(keys.tally(0, hour), f"accepted {SITES[0]}", -1)  # type: ignore[misc]
    await redis.hincrby(keys.tally(0, hour), f"delivered {SITES[2]}", -2)  # type: ignore[misc]
    return {(Kind.TALLY, 0, 1), (Kind.TALLY, 0, -2)}


async def _beyond(redis: Redis) -> set[tuple[Kind, int, int]]:
    await redis.xadd(keys.events(P), {"e": pack(event_of())})
    return {(Kind.OUT_OF_REACH, P, 1)}


DAMAGES = [
    lose_event, _foreign_event, _bumped_counter, _bumped_reason, _lost_letter, _letter_too_much, _orphan,
    _damaged_note, _corrupt_event, _corrupt_letter, _moved_event, _wrong_tally, _beyond,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__.strip("_"))
async def test_damage_is_found_and_named(
    redis: Redis, damage: Callable[[Redis], Awaitable[set[tuple[Kind, int, int]]]]
) -> None:
    """Whatever is done to the queue by hand, the audit says where and by how much, and nothing else."""
    await some_of_everything(redis)
    expected = await damage(redis)
    differences = await found(redis)
    assert {(kind, partition) for kind, partition, _ in told_as(differences)} == {(k, p) for k, p, _ in expected}
    assert told_as(differences) == expected
    assert all(one.says for one in differences)


async def test_a_difference_names_its_place(redis: Redis) -> None:
    """An event that is missing is missed at its site and in its hour."""
    await some_of_everything(redis)
    event = unpack((await entry(redis, 1))[1][b"e"])
    await lose_event(redis)
    [balance, place] = await found(redis)
    assert "pending, but" in balance.says
    assert (place.site, place.hour) == (event.site, place.hour)
    assert f"{event.site} in the hour {place.hour}" in place.says


async def test_the_tallies_and_the_ledger_are_one_account(redis: Redis) -> None:
    """After outcomes, retries, redrives and purges the tallies of all hours and sites add up to the ledger."""
    await some_of_everything(redis)
    whole = (await summed(redis, P, 0, lambda _: True))[True]
    counted = (await look(redis, P)).ledger
    assert whole == Tally(*(counted[name] for name in Tally.__slots__))
    assert whole.pending == counted["pending"]
    per_site = await summed(redis, P, 0, lambda place: place[1])
    assert set(per_site) == set(SITES)
    assert all(tally.pending >= 0 for tally in per_site.values())
    recent = await summed(redis, P, event_of().accepted_ms // 3_600_000, lambda place: place[1])
    assert 0 < recent[SITES[0]].accepted < per_site[SITES[0]].accepted
