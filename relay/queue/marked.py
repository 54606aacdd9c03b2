"""Putting the events of a log: they and the mark up to where the log is queued are written in one step.

Each partition has a mark of its own, in its own slot. A write whose answer was lost can be repeated as it was: what
has arrived already is not written again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from relay.queue import keys
from relay.queue.connection import describe
from relay.queue.forms import read_by_all
from relay.queue.once import Once
from relay.queue.packing import packed, packed_apart
from relay.queue.stored import StoredEvent, partition_of
from relay.queue.waiting import UnavailableError

REPLAYS: Final = "relay:replays"  # hash: id of a log → JSON by which it is known again
OTHER: Final = -1  # an answer of PUT_MARKED


def marks_key(partition: int) -> str:
    """Hash: id of a log → up to which offset of it the partition has its events."""
    return f"relay:{{{partition}}}:replay"


_MARK: Final = (
    keys.COUNT
    + """
local mark = redis.call('HGET', KEYS[4], ARGV[1]) or '0'
if mark == ARGV[3] then return {pending(KEYS[1], KEYS[5]), 0} end
if mark ~= ARGV[2] then return {-1, 0} end
"""
)

# Both write the events first, then the mark, then the counters, as what a script did before it failed is not undone:
# where the stream is damaged the slice is not marked, and can be put again; a damaged counter doubles nothing. How many
# more events there are than entries is counted before all, in the hash that may be damaged itself.

# KEYS events, ledger, prefix of tallies, marks, bundles. ARGV id of the log, its mark as the caller knows it, its mark
# afterwards, then as PUT. → how many are pending, also if the mark is there already (the answer to the same call was
# lost), -1 if somebody else moved it; 0.
PUT_MARKED: Final = (
    "#!lua"
    + keys.TALLY
    + _MARK
    + """
local n, more = tonumber(ARGV[5]), ARGV[5] - ARGV[6]
local first = 7 + 3 * ARGV[4]
redis.call('XLEN', KEYS[1])
if more > 0 then redis.call('HINCRBY', KEYS[5], 'more', more) end
for i = first, #ARGV do redis.call('XADD', KEYS[1], '*', 'e', ARGV[i]) end
redis.call('HSET', KEYS[4], ARGV[1], ARGV[3])
if n > 0 then redis.call('HINCRBY', KEYS[2], 'accepted', n) end
for i = 7, first - 1, 3 do tally(KEYS[3], ARGV[i], 'accepted', ARGV[i + 1], tonumber(ARGV[i + 2])) end
return {pending(KEYS[1], KEYS[5]), 0}
"""
)

# The same where events have ids, each in an entry of its own. KEYS also the records (see once.py). ARGV as above as far
# as the marks, life of a record in ms, then for each event which of KEYS is its record (0: none), fingerprint, hour,
# site, stored form. → as above, and how many were known by their records, which are not put again.
PUT_MARKED_ONCE: Final = (
    "#!lua"
    + keys.TALLY
    + _MARK
    + """
local fresh, duplicates = {}, 0
for i = 5, #ARGV, 5 do
  local record = KEYS[tonumber(ARGV[i])]
  if record and redis.call('EXISTS', record) == 1 then
    duplicates = duplicates + 1
  else
    redis.call('XADD', KEYS[1], '*', 'e', ARGV[i + 4])
    if record then redis.call('SET', record, ARGV[i + 1], 'PX', ARGV[4]) end
    fresh[#fresh + 1] = i
  end
end
redis.call('HSET', KEYS[4], ARGV[1], ARGV[3])
if duplicates > 0 then redis.call('HINCRBY', KEYS[2], 'duplicates', duplicates) end
if #fresh > 0 then redis.call('HINCRBY', KEYS[2], 'accepted', #fresh) end
for _, i in ipairs(fresh) do tally(KEYS[3], ARGV[i + 2], 'accepted', ARGV[i + 3], 1) end
return {pending(KEYS[1], KEYS[5]), duplicates}
"""
)


class OtherReplayError(Exception):
    """Somebody else is putting the same log's events."""


class Placed(NamedTuple):
    """An event of the line at that offset; by `once` it is known if it was put before, out of whatever log."""

    offset: int
    event: StoredEvent
    once: Once | None = None


class Written(NamedTuple):
    """What a write came to: events pending now, and how many of its own were known by their ids."""

    pending: int
    duplicates: int


@dataclass(slots=True)
class Marks:
    """Up to where each partition has the events of the log `log`, as offsets into it."""

    redis: Redis
    log: str
    at: list[int]
    keep_ms: int
    """How long an id is known."""
    is_new: bool = False
    """Whether nothing was known of the log when the replay began."""

    @property
    def lowest(self) -> int:
        """Before it everything is queued."""
        return min(self.at)

    def is_queued(self, placed: Placed) -> bool:
        """Whether the event is in the queue."""
        return placed.offset < self.at[partition_of(placed.event, len(self.at))]

    async def put(self, events: Sequence[Placed], end: int) -> Written:
        """Put the events and move the marks to `end`. Events that are queued already are left out.

        Raises UnavailableError if it is not known whether all is done (repeat it then), OtherReplayError, and what
        redis-py raises.
        """
        by_partition: list[list[Placed]] = [[] for _ in self.at]
        for placed in events:
            partition = partition_of(placed.event, len(self.at))
            if placed.offset >= self.at[partition]:
                by_partition[partition].append(placed)
        forms = await read_by_all(self.redis)
        pipe = self.redis.pipeline(transaction=False)
        for partition, mine in enumerate(by_partition):
            if any(placed.once for placed in mine):
                self._call_once(pipe, partition, end, mine, forms)
            else:
                self._call(pipe, partition, end, [placed.event for placed in mine], forms)
        answers: list[Any] = await pipe.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, Exception):
                raise UnavailableError(describe(answer)) from answer
        if any(pending == OTHER for pending, _ in answers):
            raise OtherReplayError
        self.at = [max(mark, end) for mark in self.at]
        return Written(sum(pending for pending, _ in answers), sum(known for _, known in answers))

    def _call(self, pipe: Pipeline, partition: int, end: int, events: Sequence[StoredEvent], forms: str) -> None:
        """One call of the script, with events none of which has an id."""
        entries = packed(partition, events, forms)
        tallies = Counter[tuple[str, str]]()
        for entry in entries:
            tallies[entry.tally] += entry.events
        counted = [part for (hour, site), n in tallies.items() for part in (hour, site, n)]
        sizes = (len(tallies), len(events), len(entries))
        words: list[Any] = [*self._moved(partition, end), *sizes, *counted, *(entry.form for entry in entries)]
        touched = _touched(partition)
        pipe.eval(PUT_MARKED, len(touched), *touched, *words)

    def _call_once(self, pipe: Pipeline, partition: int, end: int, events: Sequence[Placed], forms: str) -> None:
        """The same where some have ids."""
        touched, entries = _touched(partition), packed_apart(partition, [placed.event for placed in events], forms)
        words: list[Any] = [*self._moved(partition, end), self.keep_ms]
        for (_, event, once), entry in zip(events, entries, strict=True):
            if once is not None:
                touched.append(once.record(event.site))
            record, print_ = (0, b"") if once is None else (len(touched), once.fingerprint())
            words += [record, print_, *entry.tally, entry.form]
        pipe.eval(PUT_MARKED_ONCE, len(touched), *touched, *words)

    def _moved(self, partition: int, end: int) -> tuple[str, int, int]:
        """Which log, and its mark before and afterwards."""
        mark = self.at[partition]
        return self.log, mark, max(mark, end)


def _touched(partition: int) -> list[str]:
    return [name(partition) for name in (keys.events, keys.ledger, keys.tally, marks_key, keys.bundles)]
