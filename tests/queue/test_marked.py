"""A slice of a log is marked as queued only once it is, whatever key of the queue is damaged."""

import pytest
from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.ledger import look
from relay.queue.marked import Marks, Placed
from relay.queue.once import Once
from relay.queue.waiting import UnavailableError
from tests.queue.samples import event_of

P = 4
KEEP_MS = 60_000
EVENTS = 20


def placed(*, ids: bool) -> list[Placed]:
    """An event of a visitor each, with an id or without."""
    return [Placed(10 * n, event_of(f"/{n}", n), Once("log", str(n), b"") if ids else None) for n in range(EVENTS)]


async def pending(redis: Redis) -> int:
    """How many events are in the queue."""
    return sum([await redis.xlen(keys.events(partition)) for partition in range(P)])


@pytest.mark.parametrize("ids", [False, True])
async def test_a_damaged_stream_loses_nothing(redis: Redis, ids: bool) -> None:  # noqa: FBT001 - a parameter
    """What it could not take is neither marked nor known by its id: it is put once the stream is mended."""
    await redis.set(keys.events(1), "damaged")
    marks = Marks(redis, "log", [0] * P, KEEP_MS)
    with pytest.raises(UnavailableError):
        await marks.put(placed(ids=ids), 200)
    await redis.delete(keys.events(1))
    assert await marks.put(placed(ids=ids), 200) == (EVENTS, 0)
    assert (await pending(redis), (await look(redis, P)).ledger["accepted"]) == (EVENTS, EVENTS)


@pytest.mark.parametrize("ids", [False, True])
async def test_a_damaged_counter_doubles_nothing(redis: Redis, ids: bool) -> None:  # noqa: FBT001 - a parameter
    """What the queue has is marked, so that the same write again adds none of it."""
    await redis.set(keys.ledger(1), "damaged")
    marks = Marks(redis, "log", [0] * P, KEEP_MS)
    for _ in range(2):
        try:
            await marks.put(placed(ids=ids), 200)
        except UnavailableError:
            continue
    assert await pending(redis) == EVENTS
