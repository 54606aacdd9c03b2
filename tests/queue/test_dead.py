"""Dead letters: found, sent again, purged and kept within limits, and the ledger balances at each step."""

import itertools
import time

import pytest
from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.claiming import START, Outcome, read_after, settle
from relay.queue.dead import CHUNK, DeadLetter, Which, dead_note, find, purge, retain
from relay.queue.ledger import look
from relay.queue.stored import StoredEvent, pack, unpack
from tests.queue.samples import event_of, ledger, put, retry

P = 2


async def bury(redis: Redis, reason: str, *events: StoredEvent) -> None:
    """Put the events and let them die for the reason."""
    await put(redis, P, *events)
    await bury_pending(redis, reason)


async def bury_pending(redis: Redis, reason: str) -> int:
    """Let everything that is pending die; returns how many."""
    count = 0
    for partition in range(P):
        while entries := await redis.xrange(keys.events(partition), count=500):
            dead = [Outcome("dead", entry_id, dead_note(reason, "why", 1, None)) for entry_id, _ in entries]
            await settle(redis, {partition: dead}, again=False)
            count += len(dead)
    return count


async def letters(redis: Redis, which: Which | None = None) -> list[DeadLetter]:
    """The letters that are meant."""
    return [letter async for letter in find(redis, P, which or Which())]


async def test_letters_are_found_by_what_is_known_of_them(redis: Redis) -> None:
    """Name, site, reason and age each narrow the search, and all together."""
    await bury(redis, "exhausted", event_of("a", 1), event_of("b", 2, site="other.example"))
    await bury(redis, "too_late", event_of("c", 3))
    everything = await letters(redis)
    assert len(everything) == 3
    assert {letter.reason for letter in await letters(redis, Which(site="example.com"))} == {"exhausted", "too_late"}
    assert len(await letters(redis, Which(reason="exhausted"))) == 2
    assert len(await letters(redis, Which(reason="exhausted", site="other.example"))) == 1
    assert await letters(redis, Which(names=frozenset({everything[1].name}))) == [everything[1]]
    assert await letters(redis, Which(older_than_s=60.0)) == []
    assert len(await letters(redis, Which(older_than_s=0.0, newer_than_s=60.0))) == 3
    assert await letters(redis, Which(reason="nonsense")) == []


async def test_an_unreadable_letter_is_found_and_has_no_event(redis: Redis) -> None:
    """What can't be read is still listed, with its reason, but belongs to no site."""
    await redis.xadd(keys.dead(1), {"e": b"9?", "n": dead_note("unreadable", "unknown form", 0, None)})
    [letter] = await letters(redis)
    assert letter.event is None
    assert letter.reason == "unreadable"
    assert await letters(redis, Which(site="example.com")) == []


@pytest.mark.parametrize("note", [b"{", b"[]", b"7", b"{}"])
async def test_a_letter_with_a_damaged_note_is_no_dead_end(redis: Redis, note: bytes) -> None:
    """It is found with its event, stays where it is when others are sent again, and can be removed."""
    event = event_of("a", 1)
    await redis.xadd(keys.dead(1), {"e": pack(event), "n": note})
    [letter] = await letters(redis, Which(reason="unreadable"))
    assert (letter.event, letter.detail) == (event, "its note is damaged")
    assert await retry(redis, P, Which()) == 0
    assert await letters(redis) == [letter]
    assert await purge(redis, P, Which()) == 1


async def test_a_retry_moves_back_what_is_meant(redis: Redis) -> None:
    """Retried letters are pending again, as they came and in their order, and no longer counted as dead."""
    events = [event_of(f"e{n}", 5) for n in range(5)]
    await bury(redis, "exhausted", *events)
    await bury(redis, "too_late", event_of("other", 6))
    assert (await ledger(redis, P))["dead"] == 6
    assert await retry(redis, P, Which(reason="exhausted")) == 5
    assert await ledger(redis, P) == {"accepted": 6, "delivered": 0, "dropped": 0, "dead": 1, "pending": 5}
    entries = [entry for p in range(P) for entry in await redis.xrange(keys.events(p))]
    assert [unpack(fields[b"e"]) for _, fields in entries] == events
    seen = await look(redis, P)
    assert seen.reasons("dead") == {"exhausted": 0, "too_late": 1}
    assert seen.counters["redriven"] == 5
    assert await retry(redis, P, Which(reason="exhausted")) == 0


async def test_a_purge_is_for_good_and_stays_counted(redis: Redis) -> None:
    """Purged letters are gone, the ledger goes on counting them as dead."""
    await bury(redis, "exhausted", *(event_of("a", n) for n in range(10)))
    [first, *_] = await letters(redis)
    assert await purge(redis, P, Which(names=frozenset({first.name}))) == 1
    assert first not in await letters(redis)
    assert await purge(redis, P, Which()) == 9
    assert await ledger(redis, P) == {"accepted": 10, "delivered": 0, "dropped": 0, "dead": 10, "pending": 0}
    seen = await look(redis, P)
    assert (seen.letters, seen.counters["purged"]) == (0, 10)


async def test_many_letters_are_handled_in_chunks(redis: Redis) -> None:
    """More letters than one chunk are all found, retried and purged, none of them twice."""
    count = 2 * CHUNK + 7
    await bury(redis, "exhausted", *(event_of("a", n % 4) for n in range(count)))
    assert len({letter.name for letter in await letters(redis)}) == count
    assert await retry(redis, P, Which()) == count
    assert (await ledger(redis, P))["pending"] == count
    await bury_pending(redis, "exhausted")
    assert await purge(redis, P, Which()) == count


async def test_a_look_ends_although_letters_come(redis: Redis) -> None:
    """Each letter is met once, also when another dies for each that is met: a retry of what is refused again ends."""
    await bury(redis, "refused_upstream", *(event_of("a") for _ in range(3)))
    before = await letters(redis)
    met = []
    async for letter in find(redis, P, Which()):
        met.append(letter)
        assert len(met) <= len(before)
        await bury(redis, "refused_upstream", event_of("a"))
    assert met == before
    assert len(await letters(redis)) == 6


async def test_only_what_is_within_the_limits_is_kept(redis: Redis) -> None:
    """Letters beyond the number that is kept go, the oldest first; those beyond the age too; the account balances."""
    await bury(redis, "exhausted", *(event_of(f"e{n}", 5) for n in range(30)))
    before = await letters(redis)
    assert await retain(redis, P, keep_s=60.0, keep_count=1_000) == 0
    assert await retain(redis, P, keep_s=60.0, keep_count=20) == 20
    assert await letters(redis) == before[20:]
    deadline_s = time.monotonic() + 5.0
    gone = 0
    while gone < 10 and time.monotonic() < deadline_s:  # until the letters are older than a millisecond
        gone += await retain(redis, P, keep_s=0.001, keep_count=1_000)
    assert gone == 10
    assert (await ledger(redis, P))["dead"] == 30


@pytest.mark.parametrize("keep_count", [1, 3, 501, 1_200])
async def test_any_number_may_be_kept(redis: Redis, keep_count: int) -> None:
    """However few or many are kept, no more than that many stay in a partition."""
    await bury(redis, "exhausted", *(event_of("a", n) for n in range(1_300)))
    await retain(redis, P, keep_s=60.0, keep_count=keep_count)
    for partition in range(P):
        assert await redis.xlen(keys.dead(partition)) <= max(1, keep_count // P)
    await ledger(redis, P)


async def test_reading_goes_on_after_a_retry(redis: Redis) -> None:
    """A retried event comes behind everything that its partition's owner has read."""
    await bury(redis, "exhausted", event_of("late", 5))
    await put(redis, P, event_of("next", 5))
    [partition] = [p for p in range(P) if await redis.xlen(keys.events(p))]
    [(last, _)] = await read_after(redis, partition, START, 10)
    await retry(redis, P, Which())
    [(_, fields)] = await read_after(redis, partition, last, 10)
    assert unpack(fields[b"e"]).body == event_of("late", 5).body


def test_a_letters_name_is_its_place() -> None:
    """`<partition>:<entry id>` names a letter."""
    letter = DeadLetter("3:17-4", 17, "exhausted", "", 1, None, None)
    assert (letter.partition, letter.entry_id) == (3, "17-4")
    pairs = itertools.product((None, "exhausted", "other"), (None, "example.com"))
    found = [(reason, site) for reason, site in pairs if Which(reason=reason, site=site).matches(letter, 17)]
    assert found == [(None, None), ("exhausted", None)]
