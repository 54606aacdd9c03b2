"""An event of a log that has an id is queued once, whatever log it stands in; the marks know each line besides."""

import click
import pytest
from redis.asyncio import Redis

from relay.cli.source import Name
from relay.queue.ledger import look
from relay.queue.marked import Marks, OtherReplayError, Placed
from relay.queue.once import Item, Once, Receipt
from relay.replay.batch import SCOPE
from tests.queue.samples import committing, event_of

P = 4
KEEP_MS = 60_000


def placed(*numbers: int, once: str = "") -> list[Placed]:
    """An event of a visitor each, as if its line began at ten times its number."""
    return [Placed(10 * n, event_of(f"/{n}", n), Once(SCOPE, f"{once}{n}", b"") if once else None) for n in numbers]


async def test_a_lost_answer_doubles_nothing(redis: Redis) -> None:
    """The same write again, by whoever does not know that it was done, is none; the marks are where they belong."""
    first, again = (Marks(redis, "log", [0] * P, KEEP_MS) for _ in range(2))
    assert (await first.put(placed(*range(20)), 200)).pending == 20
    assert (await again.put(placed(*range(20)), 200)).pending == 20
    assert (first.at, again.at) == ([200] * P, [200] * P)
    assert (await look(redis, P)).ledger["accepted"] == 20


async def test_some_partitions_may_be_ahead(redis: Redis) -> None:
    """Killed between two partitions' writes, a replay goes on at the lowest mark, and each takes what it lacks."""
    marks = Marks(redis, "log", [0] * P, KEEP_MS)
    await marks.put(placed(*range(20)), 200)
    await redis.hset("relay:{1}:replay", "log", "0")  # type: ignore[misc]
    await redis.delete("relay:{1}:events")
    behind = Marks(redis, "log", [200, 0, 200, 200], KEEP_MS)
    fresh = [one for one in placed(*range(20)) if not behind.is_queued(one)]
    assert 0 < len(fresh) < 20
    assert (await behind.put(fresh, 200)).pending == 20


async def test_two_replays_of_one_log_are_told_apart(redis: Redis) -> None:
    """Whoever finds the marks moved by somebody else stops, and has put nothing there."""
    one, other = (Marks(redis, "log", [0] * P, KEEP_MS) for _ in range(2))
    await one.put(placed(*range(20)), 200)
    with pytest.raises(OtherReplayError):
        await other.put(placed(*range(7)), 70)
    assert (await look(redis, P)).ledger["accepted"] == 20


async def test_an_id_is_known_in_another_log(redis: Redis) -> None:
    """The first is queued, the other counts as a duplicate; both logs' marks move."""
    one, other = (Marks(redis, name, [0] * P, KEEP_MS) for name in ("one", "other"))
    assert await one.put(placed(*range(9), once="a"), 90) == (9, 0)
    assert await other.put(placed(*range(3, 12), once="a"), 120) == (12, 6)
    assert await other.put(placed(12) + placed(13, once="b"), 140) == (14, 0)
    assert other.at == [140] * P
    assert (await look(redis, P)).ledger["accepted"] == 14


async def test_a_source_s_key_is_no_id_of_a_log(redis: Redis) -> None:
    """They may be alike, whatever the source is called: no source can have the name by which logs are told."""
    await Marks(redis, "log", [0] * P, KEEP_MS).put(placed(1, once="a"), 20)
    async with committing(redis, P) as committer:
        told = [Item([event_of("/1", 1)], Once(name, "a1", b"{}")) for name in ("replay", "")]
        assert await committer.put_items(told) == [Receipt.ACCEPTED] * 2
    with pytest.raises(click.BadParameter, match="is no name"):
        Name().convert(SCOPE, None, None)
