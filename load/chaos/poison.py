"""Events that do harm: at which Plausible's place crashes each time, and entries of the queue that nobody can read.

All have to end dead, with their reason, and hold up nobody. Each one's visitor posts another event behind it.
"""

from __future__ import annotations

import random
from typing import Final

from redis.exceptions import RedisError

from load.chaos.fleet import PARTITIONS
from load.chaos.hostile import content
from load.chaos.scene import Scene
from load.chaos.wire import ask
from relay.queue import keys
from relay.queue.connection import AWAY, connect

POISONED: Final = 5  # at each door
NO_EVENTS: Final = (
    b"\xff\xfe no event",
    b"9[]\n{}",
    b'1["example.com"\n{}',
    b"1null\nx",
    b"",
    b"1" + b"[" * 100_000,
    b"3",
    b"3" + bytes(40),
)


async def poisoned(scene: Scene) -> bool:
    """Post events at which Plausible's place crashes, each followed by a sound one of the same visitor."""
    strangers, heard = scene.strangers, 0
    for port in scene.fleet.ports:
        for _ in range(POISONED):
            visitor = strangers.another()
            poison, sound = f"{visitor}:1", f"{visitor}:2"
            scene.sink.poison.add(poison)
            strangers.poison[poison] = False
            strangers.unsure.add(sound)
            said = await ask(port, _posted(visitor, poison))
            strangers.poison[poison] = [one.status for one in said] == [202]
            strangers.note([], said)
            said = await ask(port, _posted(visitor, sound))
            strangers.note([sound], said)
            heard += len(said)
    return heard > 0


def _posted(visitor: int, name: str) -> bytes:
    body = content(name=name)
    address = b"X-Forwarded-For: 198.51.%d.%d" % (visitor // 250 % 250, visitor % 250 + 1)
    head = (b"POST /api/event HTTP/1.1", b"Host: a.test", b"User-Agent: Mozilla/5.0 (visitor %d)" % visitor, address)
    return b"\r\n".join((*head, b"Content-Length: %d" % len(body), b"", body))


async def damaged(scene: Scene) -> bool:
    """Write entries without sense past the doors, into partitions by chance, with their count as a door would."""
    written = 0
    for form in NO_EVENTS:
        partition = random.randrange(PARTITIONS)
        scene.strangers.perhaps_damaged += 1  # before it is there: an audit may be under way
        try:
            async with (
                connect(scene.fleet.redis_url, connections=2) as server,
                server.pipeline(transaction=True) as put,
            ):
                put.xadd(keys.events(partition), {"e": form})
                put.hincrby(keys.ledger(partition), "accepted", 1)
                await put.execute()
        except (*AWAY, RedisError):
            continue
        scene.strangers.perhaps_damaged -= 1
        scene.strangers.damaged += 1
        written += 1
    return written > 0
