"""Stored events as the tests of the queue and the workers need them, and short ways to put and to look."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from redis.asyncio import Redis

from relay.queue.claiming import START, read_after, read_states
from relay.queue.committing import Committer
from relay.queue.dead import Which
from relay.queue.ledger import look
from relay.queue.parts import pending_of
from relay.queue.redrive import Pace, Redrive
from relay.queue.stored import BUNDLE, READS, StoredEvent

AGENT = b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SITE = "example.com"
APART = READS.replace(BUNDLE.decode(), "")
"""The forms that have one event in an entry."""
PLAIN_ONLY = ""
"""What a door writes whose workers tell nothing."""


def event_of(name: str = "pageview", visitor: int = 0, **fields: Any) -> StoredEvent:
    """An accepted event of that visitor, named so; fields of StoredEvent can be given."""
    url = f"https://{SITE}/{name}"
    given: dict[str, Any] = {
        "site": SITE,
        "ip": f"9.9.{visitor // 250}.{visitor % 250 + 1}",
        "user_agent": AGENT,
        "body": orjson.dumps({"name": name, "url": url, "domain": SITE}),
        "accepted_ms": time.time_ns() // 1_000_000,
    }
    return StoredEvent(**(given | fields))


@asynccontextmanager
async def committing(redis: Redis, partitions: int, *, forms: str = READS) -> AsyncIterator[Committer]:
    """A committer that runs while the context lasts; its forms are those of a door whose workers read these."""
    committer = Committer(redis, partitions, forms=forms)
    run = asyncio.create_task(committer.run())
    yield committer
    run.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await run


async def put(redis: Redis, partitions: int, *events: StoredEvent, forms: str = APART) -> None:
    """Accept these events as the door does, each in an entry of its own."""
    async with committing(redis, partitions, forms=forms) as committer:
        await committer.put(events)


async def put_together(redis: Redis, partitions: int, *events: StoredEvent) -> None:
    """Accept these events as the door does, as many in an entry as go there."""
    await put(redis, partitions, *events, forms=READS)


async def pending(
    redis: Redis, partition: int, entries: int = 1_000, block_ms: int = 1
) -> list[tuple[bytes, StoredEvent]]:
    """The pending events in the first entries of a partition, as an owner finds them, with their ids."""
    read = await read_after(redis, partition, START, entries, block_ms)
    states = await read_states(redis, partition, [entry_id for entry_id, _ in read])
    found = [one for entry_id, fields in read for one in pending_of(entry_id, fields[b"e"], states.get(entry_id, b""))]
    return [(event_id, event) for event_id, event in found if isinstance(event, StoredEvent)]


async def retry(redis: Redis, partitions: int, which: Which) -> int:
    """Send dead letters again as fast as it goes; returns how many."""
    redrive = Redrive(redis, partitions, Pace(rate_per_s=1e9, max_pending=10**9))
    await redrive.run(which)
    return redrive.moved


async def ledger(redis: Redis, partitions: int) -> dict[str, int]:
    """The account, after seeing that it balances."""
    found = (await look(redis, partitions)).ledger
    assert found["accepted"] == found["delivered"] + found["dropped"] + found["dead"] + found["pending"]
    return found


async def until(what: str, condition: Callable[[], Awaitable[object] | object], *, within_s: float = 10.0) -> Any:
    """The condition's first true value; fails the test with `what` if there is none in time."""
    deadline_s = time.monotonic() + within_s
    while True:
        value = condition()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        assert time.monotonic() < deadline_s, f"not within {within_s:g} s: {what}"
        await asyncio.sleep(0.01)
