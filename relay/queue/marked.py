"""Putting the events of a log: they and the mark up to where the log is queued are written in one step.

Each partition has a mark of its own, in its own slot. A write whose answer was lost can be repeated as it was: what
has arrived already is not written again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.committing import UnavailableError
from relay.queue.connection import describe
from relay.queue.stored import StoredEvent, pack, partition_of

REPLAYS: Final = "relay:replays"  # hash: id of a log → JSON by which it is known again
OTHER: Final = -1  # an answer of PUT_MARKED


def marks_key(partition: int) -> str:
    """Hash: id of a log → up to which offset of it the partition has its events."""
    return f"relay:{{{partition}}}:replay"


# KEYS events, ledger, prefix of tallies, marks. ARGV id of the log, its mark as the caller knows it, its mark
# afterwards, then as PUT. → length of the stream, also if the mark is there already (the answer to the same call was
# lost); -1 if somebody else moved it.
PUT_MARKED: Final = (
    "#!lua"
    + keys.TALLY
    + """
local mark = redis.call('HGET', KEYS[4], ARGV[1]) or '0'
if mark == ARGV[3] then return redis.call('XLEN', KEYS[1]) end
if mark ~= ARGV[2] then return -1 end
local first = 5 + 3 * ARGV[4]
for i = first, #ARGV do redis.call('XADD', KEYS[1], '*', 'e', ARGV[i]) end
if #ARGV >= first then redis.call('HINCRBY', KEYS[2], 'accepted', #ARGV - first + 1) end
for i = 5, first - 1, 3 do tally(KEYS[3], ARGV[i], 'accepted', ARGV[i + 1], tonumber(ARGV[i + 2])) end
redis.call('HSET', KEYS[4], ARGV[1], ARGV[3])
return redis.call('XLEN', KEYS[1])
"""
)


class OtherReplayError(Exception):
    """Somebody else is putting the same log's events."""


@dataclass(slots=True)
class Marks:
    """Up to where each partition has the events of the log `log`, as offsets into it."""

    redis: Redis
    log: str
    at: list[int]
    is_new: bool = False
    """Whether nothing was known of the log when the replay began."""

    @property
    def lowest(self) -> int:
        """Before it everything is queued."""
        return min(self.at)

    def is_queued(self, offset: int, event: StoredEvent) -> bool:
        """Whether the event of the line at this offset is in the queue."""
        return offset < self.at[partition_of(event, len(self.at))]

    async def put(self, events: Sequence[tuple[int, StoredEvent]], end: int) -> int:
        """Put the events, each with the offset of its line, and move the marks to `end`. → events pending now.

        Events that are queued already are left out. Raises UnavailableError if it is not known whether all is done
        (repeat it then), OtherReplayError, and what redis-py raises.
        """
        by_partition: list[list[StoredEvent]] = [[] for _ in self.at]
        for offset, event in events:
            partition = partition_of(event, len(self.at))
            if offset >= self.at[partition]:
                by_partition[partition].append(event)
        pipe = self.redis.pipeline(transaction=False)
        for partition, (mark, mine) in enumerate(zip(self.at, by_partition, strict=True)):
            touched, words = _call(partition, self.log, (mark, max(mark, end)), mine)
            pipe.eval(PUT_MARKED, len(touched), *touched, *words)
        answers: list[Any] = await pipe.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, Exception):
                raise UnavailableError(describe(answer)) from answer
        if OTHER in answers:
            raise OtherReplayError
        self.at = [max(mark, end) for mark in self.at]
        return sum(answers)


def _call(
    partition: int, log: str, marks: tuple[int, int], events: list[StoredEvent]
) -> tuple[tuple[str, ...], list[Any]]:
    """Keys and arguments of one call of PUT_MARKED."""
    touched = (keys.events(partition), keys.ledger(partition), keys.tally(partition), marks_key(partition))
    tallies = Counter(event.tally for event in events)
    counted = [part for (hour, site), n in tallies.items() for part in (hour, site, n)]
    return touched, [log, *marks, len(tallies), *counted, *map(pack, events)]
