"""A visitor's events in their order, in memory: one lane a visitor, one delivery a lane at a time.

Pure bookkeeping: no I/O, no timers. Which lane's turn it is, is the dispatcher's.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from relay.rules.judge import QUICK_ATTEMPTS, Others

if TYPE_CHECKING:
    from relay.queue.stored import StoredEvent
    from workers.partition import Partition
    from workers.sites import Site
    from workers.upstream import Mark

CRASH_STATUS: Final = 500  # the application failed on this very request; 502 to 504 come from what is before it


@dataclass(slots=True, eq=False)
class Entry:
    """One pending event in memory, and how it fared. `crashes` counts answers 500 in this worker.

    `failed_ms` is when it failed last, `failing_ms` for how long it has failed while others passed: what it waited
    for an outage, or for a worker, is not in it.
    """

    id: bytes
    event: StoredEvent
    attempts: int = 0
    first_failed_ms: int | None = None
    failed_ms: int = 0
    failing_ms: int = 0
    failures: int = 0
    crashes: int = 0
    before: Mark | None = None
    """How others had fared when it first failed here."""


@dataclass(slots=True, eq=False)
class Lane:
    """The waiting events of one visitor. A lane `aside` holds one event that no longer holds up its visitor."""

    partition: Partition
    entries: deque[Entry] = field(default_factory=deque)
    aside: bool = False
    busy: bool = False
    """Ready, sending or waiting for a retry: someone will come back to it."""
    site: Site | None = None
    """Set when the lane is first offered."""

    def turn(self, others: Others) -> Entry:
        """The entry to send now: the first.

        When the first one keeps crashing Plausible and nothing else tells whether that is its own fault,
        the second is tried in its stead now and then: if that passes, the first is poison. The tries double
        their distance, so that an outage with status 500 hardly ever ends with one and swaps the two.
        """
        first = self.entries[0]
        n = first.crashes
        if n >= QUICK_ATTEMPTS and len(self.entries) > 1 and others is not Others.PASS and (n + 1) & n == 0:
            first.crashes += 1  # this turn counts, else every later one would be the second's
            return self.entries[1]
        return first

    def remove(self, entry: Entry) -> None:
        """The entry has an outcome or goes aside."""
        self.entries.remove(entry)
