"""`put` returns when the events are durable, and says so within a second when they are not."""

import asyncio
import contextlib
import time
from collections.abc import Sequence

import pytest
from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.committing import EVENTS_A_WRITE, GATHERED, Committer
from relay.queue.connection import connect
from relay.queue.ledger import look
from relay.queue.stored import StoredEvent, partition_of
from relay.queue.waiting import UnavailableError
from tests.queue.samples import committing, event_of, ledger, pending, until
from tests.server import TestServer

P = 4
KEPT = "kept"


async def stored(redis: Redis) -> list[StoredEvent]:
    """Every event in the streams, partition by partition."""
    return [event for p in range(P) for _, event in await pending(redis, p)]


async def script_calls(redis: Redis) -> int:
    """How many scripts the server ran so far."""
    return int((await redis.info("commandstats"))["cmdstat_evalsha"]["calls"])


async def outcome_of(committer: Committer, *events: StoredEvent) -> tuple[str, float]:
    """KEPT, or why not, and the seconds it took to say so."""
    began_s = time.monotonic()
    try:
        await committer.put(events)
    except UnavailableError as error:
        return str(error), time.monotonic() - began_s
    return KEPT, time.monotonic() - began_s


def failed_within(outcomes: Sequence[tuple[str, float]], seconds: float) -> bool:
    """Whether each was refused in time."""
    return all(said != KEPT and took_s < seconds for said, took_s in outcomes)


async def test_many_puts_become_few_writes(redis: Redis) -> None:
    """A thousand concurrent requests become a handful of writes, and every event of them is there once."""
    events = [event_of("pageview", n) for n in range(1_000)]
    async with committing(redis, P) as committer:
        await committer.put(events[:1])
        before = await script_calls(redis)
        await asyncio.gather(*(committer.put([event]) for event in events[1:]))
        assert await script_calls(redis) - before <= 3 * P
        assert sorted(await stored(redis)) == sorted(events)
        assert (await ledger(redis, P))["accepted"] == 1_000
        assert sum(committer.backlog.values()) == 1_000


async def test_who_comes_one_after_the_other_shares_a_write(redis: Redis) -> None:
    """A write begins when a few turns of the loop brought nobody, or when there is enough for one."""

    async def comes_late(turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await committer.put([event_of("pageview", turns)])

    async with committing(redis, P) as committer:
        await committer.put([event_of("before")])
        before = await script_calls(redis)
        await asyncio.gather(*(comes_late(turns) for turns in range(GATHERED - 1)))
        assert await script_calls(redis) == before + 1
        told: list[object] = []
        for n in range(GATHERED):
            committer.submit(event_of("submitted", n), told.append)
        await asyncio.gather(*(comes_late(turns) for turns in range(2 * GATHERED)))
        assert told == [[]] * GATHERED
        assert await script_calls(redis) > before + 2


async def test_a_visitors_events_keep_their_order(redis: Redis) -> None:
    """The order of acceptance is the order in the visitor's stream."""
    events = [event_of(f"e{n}", n % 3) for n in range(300)]
    async with committing(redis, P) as committer:
        await asyncio.gather(*(committer.put([event]) for event in events))
    kept = await stored(redis)
    for visitor in range(3):
        own = events[visitor::3]
        assert [event for event in kept if event in own] == own


async def test_a_request_larger_than_a_write_is_kept_whole(redis: Redis) -> None:
    """More events than one write takes, in one request or in many, are all kept."""
    many = [event_of("batch", n % 9) for n in range(2 * EVENTS_A_WRITE + 1)]
    async with committing(redis, P) as committer:
        await asyncio.gather(committer.put(many), *(committer.put(many[n : n + 400]) for n in range(0, 2_000, 400)))
    assert (await ledger(redis, P))["pending"] == len(many) + 2_000


async def test_a_request_that_is_given_up_harms_nobody(redis: Redis) -> None:
    """A sender that leaves cancels its own wait only."""
    async with committing(redis, P) as committer:
        puts = [asyncio.create_task(committer.put([event_of("pageview", n)])) for n in range(50)]
        await asyncio.sleep(0)
        for put in puts[::2]:
            put.cancel()
        await asyncio.gather(*puts[1::2])
        with contextlib.suppress(asyncio.CancelledError):
            await puts[0]
        assert await outcome_of(committer, event_of("after")) < (KEPT, 1.0)
    names = {event.body for event in await stored(redis)}
    assert event_of("after").body in names
    assert (await ledger(redis, P))["accepted"] >= 26


async def test_scripts_may_vanish(redis: Redis) -> None:
    """After SCRIPT FLUSH (a failover does that) at most one write is refused; nothing is kept twice or lost."""
    async with committing(redis, P) as committer:
        await committer.put([event_of("before")])
        await redis.script_flush()
        said, _ = await outcome_of(committer, event_of("during"))
        assert await outcome_of(committer, event_of("after")) < (KEPT, 1.0)
    assert (await ledger(redis, P))["accepted"] == 2 + (said == KEPT)


async def test_a_partition_that_fails_fails_its_own_events_only(redis: Redis) -> None:
    """An error of one partition's write refuses the requests with events of it, and no others."""
    events = [event_of("pageview", n) for n in range(40)]
    await redis.set(keys.events(2), "no stream")
    async with committing(redis, P) as committer:
        outcomes = await asyncio.gather(*(outcome_of(committer, event) for event in events))
    for event, (said, _) in zip(events, outcomes, strict=True):
        assert (said == KEPT) is (partition_of(event, P) != 2)
    await redis.delete(keys.events(2))
    kept = await stored(redis)
    assert len(kept) == sum(said == KEPT for said, _ in outcomes)


async def test_a_full_memory_refuses(redis: Redis) -> None:
    """A server without memory left refuses, and takes events again when it has some."""
    async with committing(redis, P) as committer:
        await committer.put([event_of("before")])
        await redis.config_set("maxmemory", "1mb")
        try:
            said, _ = await outcome_of(committer, event_of("during", body=b"x" * 2_000_000))
            assert said != KEPT
            said, took_s = await outcome_of(committer, event_of("during"))
        finally:
            await redis.config_set("maxmemory", "0")
        assert failed_within([(said, took_s)], 1.0)
        assert await outcome_of(committer, event_of("after")) < (KEPT, 1.0)
    assert (await ledger(redis, P))["accepted"] == 2


async def test_a_crash_of_the_server_is_told_at_once(own_server: TestServer) -> None:
    """Whoever waits when the server is killed is refused within a second; afterwards puts work, and nothing is lost."""
    redis = connect(own_server.url)
    async with committing(redis, P) as committer:
        await committer.put([event_of("before")])
        own_server.freeze()
        waiting = [asyncio.create_task(outcome_of(committer, event_of("lost", n))) for n in range(300)]
        await asyncio.sleep(0)
        own_server.kill()
        assert failed_within(await asyncio.gather(*waiting), 1.1)
        assert failed_within([await outcome_of(committer, event_of("away"))], 1.1)
        own_server.start()
        assert await outcome_of(committer, event_of("after")) < (KEPT, 1.0)
        kept = [event.body for event in await stored(redis)]
        assert event_of("before").body in kept
        assert event_of("after").body in kept
        assert (await ledger(redis, P))["accepted"] == len(kept)
    await redis.aclose()


async def test_what_was_kept_survives_a_kill(own_server: TestServer) -> None:
    """Every put that returned is there after a SIGKILL in the middle of a storm of them."""
    redis = connect(own_server.url)
    kept: list[StoredEvent] = []

    async def send(committer: Committer, visitor: int) -> None:
        for n in range(10_000):
            event = event_of(f"e{n}", visitor)
            if (await outcome_of(committer, event))[0] != KEPT:
                return
            kept.append(event)

    async with committing(redis, P) as committer:
        senders = [asyncio.create_task(send(committer, visitor)) for visitor in range(20)]
        await until("some hundred events are kept", lambda: len(kept) > 500)
        await asyncio.to_thread(own_server.kill)
        await asyncio.gather(*senders)
    own_server.start()
    assert set(kept) <= set(await stored(redis))
    await redis.aclose()


async def test_a_frozen_server_is_told_within_a_second(own_server: TestServer) -> None:
    """Whoever waits for a server that neither answers nor ends is refused in time, late-comers too; then puts work."""
    redis = connect(own_server.url)
    async with committing(redis, P) as committer:
        await committer.put([event_of("before")])
        own_server.freeze()
        early = [asyncio.create_task(outcome_of(committer, event_of("early", n))) for n in range(20)]
        late: list[asyncio.Task[tuple[str, float]]] = []
        while not all(waiter.done() for waiter in early):  # one comes at each moment of their wait, and one after it
            await asyncio.sleep(0.02)
            late.append(asyncio.create_task(outcome_of(committer, event_of("late", len(late)))))
        assert failed_within(await asyncio.gather(*early, *late), 1.2)
        own_server.thaw()
        await until("puts work again", lambda: kept_now(committer))
    await redis.aclose()


async def kept_now(committer: Committer) -> bool:
    """Whether an event can be kept now."""
    return (await outcome_of(committer, event_of("after")))[0] == KEPT


async def test_stopping_refuses_who_still_waits(own_server: TestServer) -> None:
    """A door that ends lets no request wait for ever."""
    redis = connect(own_server.url)
    async with committing(redis, P) as committer:
        await committer.put([event_of("before")])
        own_server.freeze()
        waiting = [asyncio.create_task(outcome_of(committer, event_of("late", n))) for n in range(3)]
        await asyncio.sleep(0)
    assert failed_within(await asyncio.gather(*waiting), 1.2)
    own_server.thaw()
    await redis.aclose()


async def test_a_look_sees_what_was_put(redis: Redis) -> None:
    """The backlog by partition and the age of the oldest event are those of the streams."""
    async with committing(redis, P) as committer:
        await committer.put([event_of("pageview", n) for n in range(10)])
        seen = await look(redis, P)
        assert dict(seen.backlog) == {p: committer.backlog.get(p, 0) for p in range(P)}
        assert 0.0 <= seen.lag_s < 5.0


@pytest.mark.parametrize("partitions", [1, 1024])
async def test_any_number_of_partitions_works(redis: Redis, partitions: int) -> None:
    """One partition and the most there can be both work."""
    async with committing(redis, partitions) as committer:
        await committer.put([event_of("pageview", n) for n in range(200)])
    assert (await ledger(redis, partitions))["pending"] == 200
