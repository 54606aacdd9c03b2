"""A follower that is behind its log, as it waits for the workers, while the log is copied and truncated."""

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest
from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.stored import unpack
from relay.replay.follow import Follower
from relay.replay.pace import Pacer
from relay.replay.run import Replay
from tests.queue.samples import until
from tests.replay.lines import clf
from tests.replay.test_run import KEEP_MS, PLAN, P

ROOM = 10


async def paths(redis: Redis) -> Counter[str]:
    """How often each URL's path is in the queue."""
    entries = [entry for partition in range(P) for entry in await redis.xrange(keys.events(partition))]
    return Counter(json.loads(unpack(fields[b"e"]).body)["url"].rpartition("/")[2] for _, fields in entries)


def append(log: Path, names: list[str]) -> None:
    """Write these lines in one piece, as a server does."""
    with log.open("ab", buffering=0) as writer:
        writer.write("".join(clf(f"/{name}", visitor=n) for n, name in enumerate(names)).encode())


@pytest.mark.parametrize("at_first", [1, 60])
async def test_what_is_not_read_yet_is_found_in_the_copy(redis: Redis, tmp_path: Path, at_first: int) -> None:
    """The new text is longer than what was read of the old: none of either is lost or doubled.

    A log that was short at first is known by enough of its text all the same.
    """
    log, waits = tmp_path / "access.log", asyncio.Event()
    old, new = [f"old-{n}" for n in range(90)], [f"new-{n}" for n in range(200)]
    pacer = Pacer(redis, P, max_pending=ROOM, on_wait=lambda _: waits.set())
    this = Replay(redis, P, pacer, KEEP_MS)
    append(log, old[:at_first])
    task = asyncio.create_task(Follower(this, PLAN, str(log)).run())
    await until("something is queued", lambda: this.summary.queued > 0)
    append(log, old[at_first:60])
    await asyncio.wait_for(waits.wait(), 10)
    append(log, old[60:])
    (tmp_path / "access.log.1").write_bytes(log.read_bytes())
    log.write_bytes(b"")
    append(log, new)
    assert this.summary.queued == ROOM
    pacer.max_pending = 10_000

    async def all_there() -> bool:
        return set(await paths(redis)) == {*old, *new}

    await until("all lines are queued", all_there)
    this.stop.set()
    await task
    assert await paths(redis) == Counter([*old, *new])
