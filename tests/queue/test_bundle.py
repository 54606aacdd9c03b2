"""Several events in one entry: each comes back as it went in, and is settled, counted and given up by itself."""

import random
from collections.abc import Awaitable, Callable

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from load.dictionary.traffic import traffic
from relay.queue import keys
from relay.queue.audit import audit
from relay.queue.bundle import MOST_EVENTS, count_in, events_in, pack_bundle
from relay.queue.claiming import START, Note, Outcome, note_of, read_after, read_notes, read_states, settle
from relay.queue.dead import Which, dead_note, find
from relay.queue.differences import Kind
from relay.queue.ledger import pending_events, pending_in
from relay.queue.marked import Marks, Placed
from relay.queue.once import Item, Receipt
from relay.queue.packing import pack_together, places_of
from relay.queue.parts import damaged_part, pending_of
from relay.queue.reading import read_on
from relay.queue.stored import (
    BUNDLE,
    READS,
    Packed,
    StoredEvent,
    UnreadableError,
    mark_in,
    mark_of,
    pack,
    pack_small,
    partition_of,
    unpack,
)
from relay.queue.waiting import UnavailableError
from tests.queue.audited import found, outcomes_of
from tests.queue.samples import committing, event_of, ledger, pending, put_together, retry
from tests.queue.test_stored import EVENTS

P = 3
REPEATABLE = settings(derandomize=True, database=None, deadline=None, max_examples=60)
FIXED = [
    StoredEvent(
        "bücher.example", "2001:db8::1", b"M\xfcller/1", b'{"n":"a",\n"u":"/"}', 1_790_000_000_000, revenue=True
    ),
    StoredEvent("bücher.example", "9.9.9.9", None, b'{"n":"b",\n"u":"/"}', 1_790_000_000_000, occurred_ms=7),
    StoredEvent("bücher.example", "9.9.9.9", None, b'{"n":"engagement"}', 1_790_000_000_009, engagement=True),
]
ON_DISK = (
    "3469f05b77ec600301a0c4506c001701020220010db8000000000000000000000001090909090909090900120012001200000000000901"
    "0002ffffffffffff000000000007ffffffffffffb301060f3d735b84b0bcc516d0599aa26411c61696962872c8031406fc4ec2a8e29097"
    "ee93b64a9741fe2394517dec"
)


def test_what_is_on_disks_is_read_for_ever() -> None:
    """Version 4 as it was written first."""
    assert events_in(bytes.fromhex(ON_DISK)) == FIXED


@REPEATABLE
@given(st.lists(EVENTS, min_size=1, max_size=MOST_EVENTS), st.integers(0, 2**41), st.integers(1, 5_000))
def test_what_is_kept_comes_back(events: list[StoredEvent], accepted_ms: int, apart_ms: int) -> None:
    """Any events of one site, in their order; those that do not fit together are kept one by one."""
    alike = [
        event._replace(site=events[0].site, accepted_ms=accepted_ms + n // 2 * apart_ms)
        for n, event in enumerate(events)
    ]
    form = pack_bundle(alike)
    if form is not None:
        assert (form[:1], mark_in(form), count_in(form)) == (BUNDLE, mark_of(events[0].site), len(events))
        assert events_in(form) == alike
    packed = list(pack_together(2, alike))
    assert kept_in(packed) == alike
    assert [entry.events for entry in packed] == [count_in(entry.form) for entry in packed]
    assert places_of(alike, P) == [partition_of(event, P) for event in alike]


def kept_in(packed: list[Packed]) -> list[StoredEvent]:
    """The events in the order of their entries; each entry is counted where its events belong."""
    kept: list[StoredEvent] = []
    for entry in packed:
        events = events_in(entry.form)
        assert {event.tally for event in events} == {entry.tally}
        kept += events
    return kept


@pytest.mark.parametrize(("together", "share"), [(3, 0.85), (4, 0.8), (16, 0.7), (64, 0.65)])
def test_together_they_take_less(together: int, share: float) -> None:
    """Events of many sites' visitors, put as of one, ÷ the same apart, in bytes."""
    events = [event._replace(site="a.example", accepted_ms=7) for event in traffic(1, 512, seed=3)]
    apart = sum(len(pack_small(event)) for event in events)
    groups = [events[n : n + together] for n in range(0, len(events), together)]
    assert sum(len(entry.form) for group in groups for entry in pack_together(0, group)) < share * apart


def test_what_has_no_room_together_is_kept_in_several() -> None:
    """Large bodies end a bundle early, and one that is larger than any bundle lies by itself."""
    events = [event_of(body=b'{"n":"%b"}' % (b"x" * size), accepted_ms=7) for size in (2_000,) * 12 + (20_000,)]
    packed = list(pack_together(0, events))
    assert 1 in (sizes := [entry.events for entry in packed])
    assert max(sizes) > 1
    assert kept_in(packed) == events


def test_what_is_not_alike_is_kept_apart() -> None:
    """A bundle is of one site and one hour, by which it is counted and found."""
    hour_ms = 3_600_000
    events = [
        event_of(f"e{n}", site=f"{n // 4 % 2}.example", accepted_ms=hour_ms - 2 + n % 4 * (n // 8)) for n in range(16)
    ]
    packed = list(pack_together(0, events))
    assert [entry.events for entry in packed] == [4, 4, 1, 1, 1, 1, 1, 1, 1, 1]
    assert kept_in(packed) == events
    assert [mark_in(entry.form) for entry in packed] == [mark_of(entry.tally[1]) for entry in packed]


@pytest.mark.parametrize("seed", range(20))
def test_what_is_damaged_is_told_apart(seed: int) -> None:
    """A byte changed, or an end missing: all events or an error that the worker knows, and as many as the head says."""
    chance = random.Random(seed)
    whole = pack_bundle([event_of(f"e{n}", accepted_ms=7) for n in range(5)])
    assert whole is not None
    for _ in range(200):
        form = bytearray(whole)
        form[chance.randrange(1, len(form))] ^= 1 << chance.randrange(8)
        damaged = bytes(form[: chance.randrange(1, len(form) + 1)])
        told = pending_of(b"1-0", damaged, b"")
        assert len(told) == count_in(damaged)
        assert len({event_id for event_id, _ in told}) == len(told)
        assert {type(event) for _, event in told} <= {StoredEvent, UnreadableError}


async def bundled(redis: Redis, count: int = 6) -> list[bytes]:
    """Put a batch of that many events of one visitor; the ids of its events."""
    now_ms = event_of().accepted_ms
    await put_together(redis, 1, *(event_of(f"e{n}", accepted_ms=now_ms) for n in range(count)))
    [(entry_id, fields)] = await read_after(redis, 0, START, 10)
    return [event_id for event_id, _ in pending_of(entry_id, fields[b"e"], b"")]


async def names(redis: Redis) -> list[str]:
    """The names of the events that an owner would find pending."""
    return [orjson.loads(event.body)["name"] for _, event in await pending(redis, 0)]


def outcome(verb: str, event_id: bytes, note: bytes = b"", form: bytes = b"") -> Outcome:
    """As a worker says it."""
    return Outcome(verb, event_id, note, event_of().tally, form)


async def told(redis: Redis, *outcomes: Outcome, again: bool = False) -> int:
    """Settle them; how many had been settled before. The account balances, and an audit finds nothing."""
    repeats = await settle(redis, {0: outcomes}, again=again)
    await ledger(redis, 1)
    assert await found(redis, 1) == []
    return repeats


async def test_each_event_is_settled_by_itself(redis: Redis) -> None:
    """In any order, some twice; the entry stays until the last of them, and nothing is left of it then."""
    ids = await bundled(redis)
    assert await found(redis, 1) == []
    assert await redis.xlen(keys.events(0)) == 1
    assert (await pending_in(redis, 1), await pending_events(redis, 1)) == ({0: 6}, 6)
    assert await told(redis, outcome("delivered", ids[1]), outcome("delivered", ids[4])) == 0
    assert await names(redis) == ["e0", "e2", "e3", "e5"]
    assert await told(redis, outcome("dropped", ids[0], b"bot"), outcome("delivered", ids[1])) == 1
    assert await told(redis, outcome("delivered", ids[1]), outcome("delivered", ids[2]), again=True) == 0
    assert await names(redis) == ["e3", "e5"]
    assert (await ledger(redis, 1))["pending"] == await pending_events(redis, 1) == 2
    assert await told(redis, outcome("delivered", ids[5]), outcome("delivered", ids[3])) == 0
    assert await ledger(redis, 1) == {"accepted": 6, "delivered": 5, "dropped": 1, "dead": 0, "pending": 0}
    assert await redis.xlen(keys.events(0)) == 0
    assert await redis.hgetall(keys.bundles(0)) == {b"more": b"0"}  # type: ignore[misc]
    assert await told(redis, *(outcome("delivered", event_id) for event_id in ids)) == 6


async def test_what_got_its_last_outcome_after_it_was_read_is_not_sent_again(redis: Redis) -> None:
    """An earlier owner settles late, between a successor's two looks: then nothing tells any more which are settled."""
    ids = await bundled(redis, MOST_EVENTS)
    await told(redis, *(outcome("delivered", event_id) for event_id in ids[1:]))
    _, [(entry_id, fields)] = await read_on(redis, 0, (START, b"+"), (100, 10**6))
    await told(redis, outcome("delivered", ids[0]))
    states = await read_states(redis, 0, [entry_id])
    assert pending_of(entry_id, fields[b"e"], states.get(entry_id, b"")) == []


async def test_each_event_is_tried_again_by_itself(redis: Redis) -> None:
    """A note is of one event, and goes with it; one that has its outcome gets none."""
    ids = await bundled(redis)
    note = Note(attempts=1, first_failed_ms=1, next_ms=2, reason="failing")
    await told(redis, outcome("again", ids[2], note.pack()), outcome("delivered", ids[0]))
    assert await read_notes(redis, 0) == {ids[2]: note}
    await told(redis, outcome("again", ids[0], note.pack()))
    assert await read_notes(redis, 0) == {ids[2]: note}
    await told(redis, outcome("delivered", ids[2]))
    assert await read_notes(redis, 0) == {}


async def test_who_waits_by_himself_leaves_his_bundle(redis: Redis) -> None:
    """His entry is at the end and has his note; the bundle goes with the last of the others. Said twice it is once."""
    ids = await bundled(redis)
    [(_, event)] = [one for one in await pending(redis, 0) if one[0] == ids[2]]
    note = Note(attempts=3, first_failed_ms=1, next_ms=2, reason="failing", aside=True)
    leaves = outcome("again", ids[2], note.pack(), pack(event))
    await told(redis, outcome("again", ids[2], note.pack()), leaves)
    await told(redis, leaves, again=True)
    assert await names(redis) == ["e0", "e1", "e3", "e4", "e5", "e2"]
    assert await pending_events(redis, 1) == 6
    await told(redis, *(outcome("delivered", event_id) for event_id in ids if event_id != ids[2]))
    [(entry_id, fields)] = await read_after(redis, 0, START, 10)
    assert (unpack(fields[b"e"]), note_of(fields[b"n"])) == (event, note)
    assert await read_on(redis, 0, (START, b"+"), (10, 10**6)) == (entry_id, [(entry_id, fields)])
    assert await read_notes(redis, 0) == {entry_id: note}
    await told(redis, outcome("delivered", entry_id))
    assert (await redis.xlen(keys.events(0)), await read_notes(redis, 0)) == (0, {})
    assert await ledger(redis, 1) == {"accepted": 6, "delivered": 6, "dropped": 0, "dead": 0, "pending": 0}


async def test_each_event_dies_by_itself(redis: Redis) -> None:
    """Its letter holds it alone, and is sent again as any other; a second one is not written."""
    ids = await bundled(redis)
    [(_, event)] = [one for one in await pending(redis, 0) if one[0] == ids[3]]
    note = dead_note("exhausted", "status 500", 7, 1_000)
    for repeats in (0, 1):
        assert await told(redis, outcome("dead", ids[3], note, pack(event))) == repeats
        [letter] = [letter async for letter in find(redis, 1, Which())]
        assert letter.event == event
    assert await names(redis) == ["e0", "e1", "e2", "e4", "e5"]
    assert await retry(redis, 1, Which()) == 1
    assert await found(redis, 1) == []
    assert await names(redis) == ["e0", "e1", "e2", "e4", "e5", "e3"]


async def test_a_damaged_bundle_is_a_letter_for_each_of_its_events(redis: Redis) -> None:
    """So the account still balances, also when all of them are sent again or purged."""
    ids = await bundled(redis)
    await told(redis, outcome("delivered", ids[0]))
    [(entry_id, fields)] = await read_after(redis, 0, START, 10)
    damaged = fields[b"e"][:-3]
    await redis.xdel(keys.events(0), entry_id)
    await redis.xadd(keys.events(0), {"e": damaged}, id=entry_id.decode().replace("-0", "-1"))
    await redis.hset(keys.bundles(0), entry_id.decode().replace("-0", "-1"), "100000")  # type: ignore[misc]
    [(entry_id, _)] = await read_after(redis, 0, START, 10)
    read = pending_of(entry_id, damaged, (await read_states(redis, 0, [entry_id]))[entry_id])
    assert [type(event) for _, event in read] == [UnreadableError] * 5
    note = dead_note("unreadable", "a version 4 bundle is damaged", 0, None)
    letters = [Outcome("dead", event_id, note, form=damaged_part(damaged, event_id)) for event_id, _ in read]
    await settle(redis, {0: letters}, again=False)
    assert await ledger(redis, 1) == {"accepted": 6, "delivered": 1, "dropped": 0, "dead": 5, "pending": 0}
    assert await retry(redis, 1, Which()) == 5
    assert (await ledger(redis, 1))["pending"] == 5


async def test_what_an_older_worker_gave_up_can_be_sent_again(redis: Redis) -> None:
    """To him a bundle was one entry that he could not read; its letter becomes all of its events once more."""
    ids = await bundled(redis)
    entry_id = ids[0].partition(b".")[0]
    await settle(redis, {0: [Outcome("dead", entry_id, dead_note("unreadable", "unknown form", 0, None))]}, again=False)
    assert await pending(redis, 0) == []
    letter = await audit(redis, 1)
    assert letter.letters == 1
    assert Kind.UNREADABLE in {one.kind for one in letter.differences}
    assert await retry(redis, 1, Which()) == 1
    assert await names(redis) == [f"e{n}" for n in range(6)]
    assert await found(redis, 1) == []
    assert await ledger(redis, 1) == {"accepted": 6, "delivered": 0, "dropped": 0, "dead": 0, "pending": 6}


async def test_a_page_has_no_more_events_than_were_asked_for(redis: Redis) -> None:
    """And a few: a read ends with the entry that fills it, and one site's bundles are found among others'."""
    now_ms = event_of().accepted_ms
    for n in range(40):
        site = ("a.example", "b.example")[n % 2]
        await put_together(redis, 1, *(event_of(f"{n}:{m}", site=site, accepted_ms=now_ms) for m in range(20)))
    _, page = await read_on(redis, 0, (START, b"+"), (100, 10**6))
    assert [count_in(fields[b"e"]) for _, fields in page] == [20] * 16  # it looks at so many at a time
    _, page = await read_on(redis, 0, (START, b"+"), (1_000, 10**6), "b.example")
    assert {event.site for _, fields in page for event in events_in(fields[b"e"])} == {"b.example"}
    assert sum(count_in(fields[b"e"]) for _, fields in page) == 400


async def not_a_hash(redis: Redis) -> None:
    """The key is of another type."""
    await redis.set(keys.bundles(1), "damaged")


async def no_number(redis: Redis) -> None:
    """The count in it is none."""
    await redis.hset(keys.bundles(1), "more", "damaged")  # type: ignore[misc]


async def test_a_look_for_one_site_ends_after_so_many_bytes(redis: Redis) -> None:
    """The server looks at others' entries, too, and these may be large: a thousand of them must not hold it up."""
    chance = random.Random(1)
    now_ms = event_of().accepted_ms
    events = [event_of(body=chance.randbytes(4_000).hex().encode(), accepted_ms=now_ms) for _ in range(800)]
    await put_together(redis, 1, *events)
    last, page = await read_on(redis, 0, (START, b"+"), (100, 10**6), "b.example")
    assert page == []
    assert last is not None
    assert 0 < len(await redis.xrange(keys.events(0), f"({last.decode()}")) < len(events)


@pytest.mark.parametrize("damage", [not_a_hash, no_number])
async def test_a_damaged_hash_holds_up_its_partition_only(
    redis: Redis, damage: Callable[[Redis], Awaitable[None]]
) -> None:
    """Nothing is kept by halves."""
    events = [event_of(f"e{n}", n % 7, accepted_ms=event_of().accepted_ms) for n in range(140)]
    of = {p: sum(partition_of(event, P) == p for event in events) for p in range(P)}
    await damage(redis)
    async with committing(redis, P) as committer:
        receipts = await committer.put_items([Item([event]) for event in events])
    assert [receipt is Receipt.UNAVAILABLE for receipt in receipts] == [partition_of(e, P) == 1 for e in events]
    assert await pending_in(redis, P) == {0: of[0], 2: of[2]}
    assert await redis.xlen(keys.events(1)) == 0


@pytest.mark.parametrize("damage", [not_a_hash, no_number])
async def test_with_a_damaged_hash_nothing_is_settled_by_halves(
    redis: Redis, damage: Callable[[Redis], Awaitable[None]]
) -> None:
    """What could not be counted is still there, and is settled once the hash is mended."""
    now_ms = event_of().accepted_ms
    await put_together(redis, P, *(event_of(f"e{n}", n, accepted_ms=now_ms) for n in range(60)))
    read = await pending(redis, 1)
    more = await redis.hget(keys.bundles(1), "more")  # type: ignore[misc]
    await damage(redis)
    for _ in range(2):
        with pytest.raises(ResponseError):
            await settle(redis, {1: outcomes_of(read, "delivered")}, again=False)
    await redis.delete(keys.bundles(1))
    await redis.hset(keys.bundles(1), "more", more)  # type: ignore[misc]
    assert await pending(redis, 1) == read
    assert await settle(redis, {1: outcomes_of(read, "delivered")}, again=False) == 0
    assert (await ledger(redis, P))["delivered"] == len(read)
    assert await found(redis) == []


@pytest.mark.parametrize("damage", [not_a_hash, no_number])
async def test_with_a_damaged_hash_no_slice_of_a_log_is_doubled(
    redis: Redis, damage: Callable[[Redis], Awaitable[None]]
) -> None:
    """A replay tries again and again: what the queue could not count it has not taken either."""
    now_ms = event_of().accepted_ms
    await redis.hset(keys.FORM, "reads", READS)  # type: ignore[misc]
    await damage(redis)
    marks = Marks(redis, "log", [0] * P, 60_000)
    slice_ = [Placed(n, event_of(f"e{n}", n, accepted_ms=now_ms)) for n in range(60)]
    for _ in range(2):
        with pytest.raises(UnavailableError):
            await marks.put(slice_, 60)
    await redis.delete(keys.bundles(1))
    assert await marks.put(slice_, 60) == (60, 0)
    assert await found(redis) == []
