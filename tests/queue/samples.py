"""Stored events as the tests of the queue and the workers need them, and short ways to put and to look."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from redis.asyncio import Redis

from relay.queue.committing import Committer
from relay.queue.dead import Which
from relay.queue.ledger import look
from relay.queue.redrive import Pace, Redrive
from relay.queue.stored import StoredEvent

AGENT = b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SITE = "example.com"


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
async def committing(redis: Redis, partitions: int, *, compressed: bool = True) -> AsyncIterator[Committer]:
    """A committer that runs while the context lasts. It compresses, as a door does once workers are there."""
    committer = Committer(redis, partitions, compressed=compressed)
    run = asyncio.create_task(committer.run())
    yield committer
    run.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await run


async def put(redis: Redis, partitions: int, *events: StoredEvent, compressed: bool = True) -> None:
    """Accept these events as the door does."""
    async with committing(redis, partitions, compressed=compressed) as committer:
        await committer.put(events)


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
