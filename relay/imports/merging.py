"""Several logs as one, by the times of their events: the rotated files of one server, or the files of many servers.

In any order they are given. A log is opened when its first event is due, so a year of rotated files needs no more
memory than those that overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace

from relay.replay.page import Kept


@dataclass(frozen=True, slots=True)
class Stream:
    """A log that is not open yet. `begins_ms` is the time of one of its first events (Unix ms)."""

    begins_ms: int
    events: Callable[[], Iterator[Kept]]


def merged(streams: Sequence[Stream]) -> Iterator[Kept]:
    """The events of all, each log in its own order, the log with the oldest next event first."""
    closed = sorted(streams, key=lambda stream: stream.begins_ms, reverse=True)
    number = len(closed)
    heads: list[tuple[int, int, Kept, Iterator[Kept]]] = []
    while closed or heads:
        while closed and (not heads or closed[-1].begins_ms <= heads[0][0]):
            events = closed.pop().events()
            if (first := next(events, None)) is not None:
                number -= 1
                heappush(heads, (first.at_ms, number, first, events))
        if not heads:
            continue
        _, place, kept, events = heads[0]
        yield kept
        if (following := next(events, None)) is None:
            heappop(heads)
        else:
            heapreplace(heads, (following.at_ms, place, following, events))
