"""The account balances at every moment, whoever writes."""

import asyncio

from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.claiming import Outcome, settle
from relay.queue.dead import Which, dead_note
from relay.queue.ledger import look
from relay.queue.parts import apart
from tests.queue.samples import committing, event_of, ledger, pending, retry

P = 3
ROUNDS = 40


async def accept(redis: Redis) -> None:
    """A door: twenty events, many times."""
    async with committing(redis, P) as committer:
        for _ in range(ROUNDS):
            await committer.put([event_of("pageview", visitor) for visitor in range(20)])


async def work(redis: Redis, partition: int) -> None:
    """A worker: every third event delivered, dropped, dead."""
    done = 0
    while events := await pending(redis, partition, 7, 1_000):
        note = dead_note("too_late", "", 1, None)
        lines = [
            Outcome("delivered", events[0][0]),
            *(Outcome("dropped", event_id, b"bot") for event_id, _ in events[1:3]),
            *(Outcome("dead", event_id, note, form=apart(event_id, event)) for event_id, event in events[3:9]),
        ]
        await settle(redis, {partition: lines}, again=False)
        done += len(lines)
        if done % 5 == 0:
            await retry(redis, P, Which())


async def test_the_account_balances_at_every_look(redis: Redis) -> None:
    """While a door and three workers write, each look finds accepted = delivered + dropped + dead + pending."""
    looks = 0
    writing = asyncio.gather(accept(redis), *(work(redis, partition) for partition in range(P)))
    while not writing.done():
        await ledger(redis, P)
        looks += 1
    await writing
    assert looks > 20
    found = await ledger(redis, P)
    assert found["accepted"] == ROUNDS * 20
    assert found["pending"] == 0


async def test_an_empty_data_set_has_an_account_too(redis: Redis) -> None:
    """Before the first event all five numbers are 0, and nothing lags."""
    seen = await look(redis, P)
    assert seen.ledger == dict.fromkeys(("accepted", "delivered", "dropped", "dead", "pending"), 0)
    assert (seen.lag_s, seen.letters, seen.failing, seen.owned, seen.workers) == (0.0, 0, 0, 0, {})


async def test_the_lag_is_the_age_of_the_oldest(redis: Redis) -> None:
    """The lag is told in seconds by the server's own clock, over all partitions."""
    seconds, micros = await redis.time()
    at_ms = (seconds - 100) * 1_000 + micros // 1_000
    await redis.xadd(keys.events(0), {"e": b"old"}, id=f"{at_ms}-0")
    await redis.xadd(keys.events(1), {"e": b"older"}, id=f"{at_ms - 50_000}-0")
    assert 150.0 <= (await look(redis, P)).lag_s < 155.0
