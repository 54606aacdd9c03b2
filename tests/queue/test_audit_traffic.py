"""The audit of a queue that is busy raises no false alarm, and hides nothing."""

import asyncio
import random

import pytest
from redis.asyncio import Redis

from relay.queue import recount, walk
from relay.queue.audit import audit
from relay.queue.claiming import settle
from relay.queue.dead import Which, purge, retain
from relay.queue.differences import Kind
from relay.queue.ledger import look
from relay.queue.stored import StoredEvent
from tests.queue.audited import SITES, P, found, lose_event, outcomes_of, some_of_everything, told_as
from tests.queue.samples import committing, event_of, pending, retry

MOST_PENDING = 600  # or on a busy machine each walk through the streams would take longer than the one before


async def _door(redis: Redis, stop: asyncio.Event) -> None:
    chance = random.Random(1)
    async with committing(redis, P) as committer:
        while not stop.is_set():
            await committer.put([_any_event(chance) for _ in range(chance.randrange(1, 9))])
            while sum(committer.backlog.values()) > MOST_PENDING and not stop.is_set():
                committer.backlog.update((await look(redis, P)).backlog)


def _any_event(chance: random.Random) -> StoredEvent:
    at_ms = event_of().accepted_ms - chance.choice((0, 0, 3_600_000))
    return event_of("pageview", chance.randrange(200), site=chance.choice(SITES), accepted_ms=at_ms)


async def _worker(redis: Redis, partition: int, keep: int, stop: asyncio.Event) -> None:
    chance = random.Random(partition)
    while not stop.is_set():
        events = await pending(redis, partition, keep + 40)
        for event in events[: max(0, len(events) - keep)]:
            verb = chance.choice(("delivered", "delivered", "dropped", "dead", "again"))
            await settle(redis, {partition: outcomes_of([event], verb)}, again=False)


async def _operator(redis: Redis, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await retry(redis, P, Which(site=SITES[0]))
        await purge(redis, P, Which(site=SITES[1]))
        await retain(redis, P, keep_s=60.0, keep_count=20)


@pytest.mark.parametrize(("keep", "page"), [(0, 500), (150, 500), (150, 50)])
async def test_no_false_alarm_under_traffic(
    redis: Redis, keep: int, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While events come, settle, die and are sent again, ten audits find nothing; afterwards nothing is left out."""
    for module in (walk, recount):
        monkeypatch.setattr(module, "PAGE", page)
    stop = asyncio.Event()
    traffic = [_door(redis, stop), *(_worker(redis, p, keep, stop) for p in range(P)), _operator(redis, stop)]
    running = asyncio.gather(*traffic)
    for _ in range(10):
        assert (await audit(redis, P)).differences == []
    stop.set()
    await running
    assert (await look(redis, P)).counters["redriven"] > 0
    assert await found(redis) == []


async def test_damage_is_found_under_traffic(redis: Redis) -> None:
    """Traffic elsewhere hides nothing: an event that vanished is missed at once."""
    await some_of_everything(redis)
    await lose_event(redis)
    stop = asyncio.Event()
    running = asyncio.gather(_door(redis, stop), *(_worker(redis, p, 100, stop) for p in range(P)))
    differences = (await audit(redis, P)).differences
    stop.set()
    await running
    assert (Kind.BALANCE, 1, -1) in told_as(differences)
    assert {one.kind for one in differences} <= {Kind.BALANCE, Kind.TALLY}
