"""Reading in order and settling: each outcome counts once, however often and by whomever it is said."""

import asyncio
from collections.abc import Callable, Sequence

import orjson
import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from relay.queue import keys
from relay.queue.claiming import START, Note, Outcome, read_after, read_notes, read_one, settle
from relay.queue.dead import Which, dead_note, find
from relay.queue.ledger import look
from relay.queue.reading import RawEntry
from relay.queue.stored import unpack
from tests.queue.samples import event_of, ledger, put

P = 1
NOTE = Note(attempts=3, first_failed_ms=1_000, next_ms=9_000, reason="failing", aside=True)


async def claimed(redis: Redis, count: int) -> list[RawEntry]:
    """So many events, put and read."""
    await put(redis, P, *(event_of(f"e{n}") for n in range(count)))
    return await read_after(redis, 0, START, 10_000)


async def told(redis: Redis, outcomes: Sequence[Outcome], *, again: bool = False) -> int:
    """Settle in the only partition."""
    return await settle(redis, {0: outcomes}, again=again)


async def counters(redis: Redis) -> dict[str, int]:
    """The ledger's counters, after seeing that it balances."""
    await ledger(redis, P)
    return dict((await look(redis, P)).counters)


async def test_reading_is_in_order_and_from_anywhere(redis: Redis) -> None:
    """Entries come in the order of their acceptance, after any one of them, and as many as asked for."""
    entries = await claimed(redis, 20)
    bodies = [unpack(fields[b"e"]).body for _, fields in entries]
    assert bodies == [event_of(f"e{n}").body for n in range(20)]
    assert await read_after(redis, 0, entries[4][0], 3) == entries[5:8]
    assert await read_one(redis, 0, entries[7][0]) == entries[7][1][b"e"]
    assert await read_one(redis, 0, b"1-1") is None


async def test_reading_waits_for_an_event(redis: Redis) -> None:
    """A read at the end of the stream returns as soon as an event comes, and with nothing after a second."""
    waiting = asyncio.create_task(read_after(redis, 0, START, 10))
    await asyncio.sleep(0)
    await put(redis, P, event_of())
    assert len(await waiting) == 1


@pytest.mark.parametrize("name", [keys.dead, keys.ledger, keys.retry], ids=["letters", "ledger", "schedule"])
async def test_damage_loses_no_event(redis: Redis, name: Callable[[int], str]) -> None:
    """Where a letter, a count or a note can't be written its event stays, and has its outcome when it is mended."""
    [(entry_id, _)] = await claimed(redis, 1)
    sound = await redis.dump(name(0))
    await redis.set(name(0), "damaged")
    lines = [Outcome("dead", entry_id, dead_note("exhausted", "status 500", 7, 1_000))]
    for again in (False, True):
        with pytest.raises(ResponseError, match="WRONGTYPE"):
            await told(redis, lines, again=again)
    assert await redis.xlen(keys.events(0)) == 1
    await redis.delete(name(0))
    if sound is not None:
        await redis.restore(name(0), 0, sound)
    assert await told(redis, lines, again=True) == 0
    assert (await counters(redis))["dead"] == 1
    assert len([letter async for letter in find(redis, P, Which())]) == 1


async def test_each_outcome_is_counted_once(redis: Redis) -> None:
    """Delivered, dropped and dead events leave the stream, each under its own name and reason."""
    ids = [entry_id for entry_id, _ in await claimed(redis, 5)]
    letter = dead_note("exhausted", "status 500", 7, 1_000)
    outcomes = [
        Outcome("delivered", ids[0]),
        Outcome("delivered", ids[1]),
        Outcome("dropped", ids[2], b"bot"),
        Outcome("dead", ids[3], letter),
    ]
    assert await told(redis, outcomes) == 0
    expected = {"accepted": 5, "delivered": 2, "dropped": 1, "dropped:bot": 1, "dead": 1, "dead:exhausted": 1}
    assert await counters(redis) == expected
    assert [entry_id for entry_id, _ in await read_after(redis, 0, START, 10)] == ids[4:]


async def test_an_event_that_was_sent_twice_is_seen(redis: Redis) -> None:
    """What another worker settled before counts no second time; a delivery too much is counted as `repeated`."""
    ids = [entry_id for entry_id, _ in await claimed(redis, 2)]
    await told(redis, [Outcome("delivered", entry_id) for entry_id in ids])
    assert await told(redis, [Outcome("delivered", ids[0]), Outcome("dropped", ids[1], b"bot")]) == 2
    assert await counters(redis) == {"accepted": 2, "delivered": 2, "repeated": 1}


@pytest.mark.parametrize("verb", ["delivered", "dropped", "dead"])
async def test_a_call_whose_answer_was_lost_counts_nothing_twice(redis: Redis, verb: str) -> None:
    """Saying the same again because the answer was lost changes nothing."""
    entries = await claimed(redis, 2)
    note = dead_note("too_large", "", 1, None) if verb == "dead" else b"bot"
    outcomes = [Outcome(verb, entries[0][0], note)]
    await told(redis, outcomes)
    before = await counters(redis)
    assert await told(redis, outcomes, again=True) == 0
    assert await counters(redis) == before
    assert (await look(redis, P)).letters == (verb == "dead")
    await told(redis, [Outcome(verb, entries[1][0], note)], again=True)  # the first call never came through
    assert (await counters(redis))[verb] == 2


async def test_a_dead_letter_keeps_the_event_and_why(redis: Redis) -> None:
    """A dead letter has the event byte for byte, the reason, the words, the attempts and the first failure."""
    event = event_of("poison", user_agent=b"M\xfcller", body=b'{"n":"\xe2\x82\xac"}', revenue=True)
    await put(redis, P, event)
    [(entry_id, _)] = await read_after(redis, 0, START, 1)
    await told(redis, [Outcome("dead", entry_id, dead_note("exhausted", "status 500, „warum“", 9, 1_000))])
    [letter] = [letter async for letter in find(redis, P, Which())]
    assert letter.event == event
    assert (letter.reason, letter.detail) == ("exhausted", "status 500, „warum“")
    assert (letter.attempts, letter.first_failed_ms) == (9, 1_000)


async def test_notes_are_kept_until_the_outcome(redis: Redis) -> None:
    """What is known of a failed event outlives its worker, and goes with the event."""
    ids = [entry_id for entry_id, _ in await claimed(redis, 2)]
    await told(redis, [Outcome("again", entry_id, NOTE.pack()) for entry_id in ids])
    assert await read_notes(redis, 0) == {ids[0]: NOTE, ids[1]: NOTE}
    assert (await look(redis, P)).failing == 2
    await told(redis, [Outcome("delivered", ids[0])])
    assert await read_notes(redis, 0) == {ids[1]: NOTE}
    assert (await ledger(redis, P))["pending"] == 1


async def test_no_note_is_kept_of_an_event_that_is_gone(redis: Redis) -> None:
    """A note that comes after the outcome is not written, or it would stay for ever."""
    [(entry_id, _)] = await claimed(redis, 1)
    await told(redis, [Outcome("delivered", entry_id)])
    assert await told(redis, [Outcome("again", entry_id, NOTE.pack())]) == 0
    assert await read_notes(redis, 0) == {}


async def test_scripts_may_vanish(redis: Redis) -> None:
    """After SCRIPT FLUSH (a failover does that) settling just works."""
    ids = [entry_id for entry_id, _ in await claimed(redis, 2)]
    await told(redis, [Outcome("delivered", ids[0])])
    await redis.script_flush()
    assert await told(redis, [Outcome("delivered", ids[1])]) == 0
    assert await counters(redis) == {"accepted": 2, "delivered": 2}


async def test_a_thousand_outcomes_are_one_call(redis: Redis) -> None:
    """The largest call that a worker makes is taken whole."""
    ids = [entry_id for entry_id, _ in await claimed(redis, 1_000)]
    letter = dead_note("refused_upstream", "x" * 500, 1, None)
    await told(redis, [Outcome("dead", entry_id, letter) for entry_id in ids])
    assert await ledger(redis, P) == {"accepted": 1_000, "delivered": 0, "dropped": 0, "dead": 1_000, "pending": 0}


async def test_two_workers_that_say_the_same_count_it_once(redis: Redis) -> None:
    """Whoever settles at the same time: the sum is right, and the account balances at every look."""
    ids = [entry_id for entry_id, _ in await claimed(redis, 300)]

    async def worker() -> int:
        lines = [Outcome("delivered", entry_id) for entry_id in ids]
        return sum([await told(redis, lines[n : n + 7]) for n in range(0, 300, 7)])

    async def watch() -> None:
        while (await ledger(redis, P))["pending"]:
            pass

    await redis.script_flush()  # a call that names a script nobody knows has done nothing
    first, second, _ = await asyncio.gather(worker(), worker(), watch())
    assert first + second == 300
    assert await counters(redis) == {"accepted": 300, "delivered": 300, "repeated": 300}


def test_a_note_is_plain_json() -> None:
    """The note's form is fixed: later relays read what earlier ones kept."""
    kept = {"attempts": 3, "first_failed_ms": 1_000, "next_ms": 9_000, "reason": "failing", "aside": True}
    assert orjson.loads(NOTE.pack()) == kept | {"failed_ms": 0, "failing_ms": 0}


async def test_partitions_are_settled_apart_in_one_go(redis: Redis) -> None:
    """One call settles several partitions, each in its own ledger."""
    events = [event_of("pageview", n) for n in range(40)]
    await put(redis, 4, *events)
    outcomes = {
        p: [Outcome("delivered", entry_id) for entry_id, _ in await read_after(redis, p, START, 100)] for p in range(4)
    }
    await settle(redis, outcomes, again=False)
    counted = [int(await redis.hget(keys.ledger(p), "delivered") or 0) for p in range(4)]  # type: ignore[misc]
    assert counted == [len(outcomes[p]) for p in range(4)]
    assert sum(counted) == 40
