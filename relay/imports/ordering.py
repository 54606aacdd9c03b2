"""The events in the order of their times, out of logs that are only roughly in it.

A server writes a line when the request ends, some stamp it with its beginning: lines are seconds or minutes out of
order. An event waits until the newest one is `WINDOW_S` ahead of it; what comes even later is left out, and counted.
"""

from collections.abc import Iterator
from heapq import heappop, heappush

from relay.replay.page import Kept

WINDOW_S = 600  # a page that took ten minutes; a log with a line later than that was not written in order
MOST_WAITING = 200_000  # some 150 MB; beyond it the oldest second goes on early


class Ordering:
    """A window over the events, by the second (as Plausible keeps time); within a second, as they came."""

    def __init__(self, window_s: int = WINDOW_S, most_waiting: int = MOST_WAITING) -> None:
        self.too_late = 0
        """How many came behind the window, and were left out."""
        self._window_s = window_s
        self._most_waiting = most_waiting
        self._waiting = 0
        self._by_second: dict[int, list[Kept]] = {}
        self._seconds: list[int] = []
        self._newest_s = -(1 << 62)
        self._gone_s = -(1 << 62)

    def push(self, kept: Kept) -> Iterator[Kept]:
        """Take one in; yields those whose turn it is now. Must be used up."""
        at_s = kept.at_ms // 1_000
        if at_s <= self._gone_s:
            self.too_late += 1
            return
        peers = self._by_second.get(at_s)
        if peers is None:
            peers = self._by_second[at_s] = []
            heappush(self._seconds, at_s)
        peers.append(kept)
        self._waiting += 1
        if at_s > self._newest_s:
            self._newest_s = at_s
            yield from self._until(at_s - self._window_s)
        while self._waiting > self._most_waiting:
            yield from self._until(self._seconds[0])

    def rest(self) -> Iterator[Kept]:
        """All that still wait."""
        yield from self._until(self._newest_s)

    def _until(self, last_s: int) -> Iterator[Kept]:
        while self._seconds and self._seconds[0] <= last_s:
            self._gone_s = heappop(self._seconds)
            peers = self._by_second.pop(self._gone_s)
            self._waiting -= len(peers)
            yield from peers
