"""A queue with something of everything in it, and what an audit of it finds."""

from collections.abc import Awaitable, Callable, Sequence
from itertools import chain

from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.audit import audit
from relay.queue.claiming import Note, Outcome, settle
from relay.queue.dead import Which, dead_note, purge
from relay.queue.differences import Difference, Kind
from relay.queue.parts import apart
from relay.queue.reading import RawEntry
from relay.queue.stored import StoredEvent
from tests.queue.samples import event_of, pending, put, retry

P = 3
SITES = ("a.example", "b.example", "c.example")
NOTE = Note(attempts=1, first_failed_ms=1, next_ms=2, reason="failing").pack()


def outcomes_of(events: Sequence[tuple[bytes, StoredEvent]], verb: str) -> list[Outcome]:
    """That outcome for each event, as the workers say it."""
    note = {"dead": dead_note("exhausted", "why", 1, None), "dropped": b"bot", "again": NOTE}.get(verb, b"")
    return [Outcome(verb, event_id, note, event.tally, apart(event_id, event)) for event_id, event in events]


async def some_of_everything(redis: Redis, write: Callable[..., Awaitable[None]] = put) -> None:
    """Events of three sites and three hours in each state; some letters went back, some were purged."""
    hour_ms = 3_600_000
    now_ms = event_of().accepted_ms
    events = [
        event_of("pageview", n // 4, site=SITES[n // 4 % 3], accepted_ms=now_ms - (n // 12 % 3) * hour_ms)
        for n in range(180)
    ]
    await write(redis, P, *events)
    for partition in range(P):
        first = await pending(redis, partition, 50)
        lines = [outcomes_of(first[n : n + 10], verb) for n, verb in ((0, "delivered"), (10, "dropped"), (20, "dead"))]
        lines.append(outcomes_of(first[30:35], "again"))
        await settle(redis, {partition: list(chain.from_iterable(lines))}, again=False)
    await retry(redis, P, Which(site=SITES[0]))
    await purge(redis, P, Which(site=SITES[1]))


async def found(redis: Redis, partitions: int = P) -> list[Difference]:
    """What an idle queue's audit finds; nothing is left out."""
    told = await audit(redis, partitions)
    assert told.not_compared == []
    return told.differences


def told_as(differences: Sequence[Difference]) -> set[tuple[Kind, int, int]]:
    """Kind, partition and number of each."""
    return {(one.kind, one.partition, one.by) for one in differences}


async def entry(redis: Redis, partition: int) -> RawEntry:
    """The last pending event of a partition, which has not failed."""
    last: list[RawEntry] = await redis.xrevrange(keys.events(partition), count=1)
    return last[0]


async def lose_event(redis: Redis) -> set[tuple[Kind, int, int]]:
    """Take a pending event away by hand; what an audit finds then."""
    await redis.xdel(keys.events(1), (await entry(redis, 1))[0])
    return {(Kind.BALANCE, 1, -1), (Kind.TALLY, 1, -1)}
