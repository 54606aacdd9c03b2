"""Claiming and settling: reading a partition's stream in order, and writing down what became of its events.

XDEL in `settle` is the only way out of a stream, so what was read and not settled is read again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, cast

import orjson
from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from relay.queue import keys

BLOCK_MS = 1_000
START = b"0-0"

RawEntry = tuple[bytes, dict[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of an entry that failed: attempts so far, and when they began and go on, Unix ms.

    `failed_ms` is when the last one failed, `failing_ms` for how long it has failed while others passed.
    """

    attempts: int
    first_failed_ms: int
    next_ms: int
    reason: str
    aside: bool = False
    failed_ms: int = 0
    failing_ms: int = 0

    def pack(self) -> bytes:
        """The note as it is kept."""
        return orjson.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line for `settle`: verb delivered, dropped, dead or again, the entry's id, and the note for it.

    `tally` is the event's own, or empty if the event cannot be read.
    """

    verb: str
    entry_id: bytes
    note: bytes = b""
    tally: tuple[str, str] = ("", "")


async def read_after(
    redis: Redis, partition: int, after: bytes, count: int, block_ms: int = BLOCK_MS
) -> list[RawEntry]:
    """The next entries after id `after`, at most `count`; waits so long for one to come."""
    reply: Any = await redis.xread({keys.events(partition): after}, count=count, block=block_ms)
    return cast("list[RawEntry]", reply[0][1]) if reply else []


async def read_range(redis: Redis, partition: int, first: bytes, last: bytes, count: int) -> list[RawEntry]:
    """The pending entries from id `first` to id `last`, both included, at most `count`."""
    reply: Any = await redis.xrange(keys.events(partition), first, last, count=count)
    return cast("list[RawEntry]", reply)


def following(entry_id: bytes) -> bytes:
    """The least id behind this one."""
    ms, _, number = entry_id.partition(b"-")
    return b"%b-%d" % (ms, int(number) + 1)


async def read_one(redis: Redis, partition: int, entry_id: bytes) -> RawEntry | None:
    """One entry by its id, None when it is no longer pending."""
    reply: Any = await redis.xrange(keys.events(partition), entry_id, entry_id)
    return cast("RawEntry", reply[0]) if reply else None


async def read_notes(redis: Redis, partition: int) -> dict[bytes, Note]:
    """What earlier owners noted of the entries that failed."""
    kept: dict[bytes, bytes] = await redis.hgetall(keys.retry(partition))  # type: ignore[misc]
    return {entry_id: _note(text) for entry_id, text in kept.items()}


def _note(text: bytes) -> Note:
    """A note as this relay knows it; what a later one added to it is passed over."""
    found = orjson.loads(text)
    return Note(**{field.name: found[field.name] for field in fields(Note) if field.name in found})


async def settle(redis: Redis, outcomes: Mapping[int, Sequence[Outcome]], *, again: bool) -> int:
    """Write down outcomes by partition, one script call each, in one round trip.

    `again` says that the answer to an earlier call with these outcomes was lost. Returns how many events
    turned out to have been settled before, by somebody else: those were sent twice.
    """
    try:
        return await _settle(redis, outcomes, again=again)
    except NoScriptError:
        await redis.script_load(keys.SETTLE)
        return await _settle(redis, outcomes, again=True)


async def _settle(redis: Redis, outcomes: Mapping[int, Sequence[Outcome]], *, again: bool) -> int:
    script = redis.register_script(keys.SETTLE)
    pipe = redis.pipeline(transaction=False)
    for partition, lines in outcomes.items():
        touched = (
            keys.events(partition),
            keys.retry(partition),
            keys.ledger(partition),
            keys.dead(partition),
            keys.tally(partition),
        )
        args: list[Any] = [part for line in lines for part in (line.verb, line.entry_id, line.note, *line.tally)]
        pipe.evalsha(script.sha, len(touched), *touched, "1" if again else "0", *args)
    return sum(await pipe.execute())
