"""Visits: one visitor's events with pauses of at most 30 minutes, also over midnight.

As `Plausible.Session.CacheStore` has it: the first event says where the visit came from and with what device, the
last one who the visitor is; only pageviews have pages. A visit is held only while it is open.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from relay.imports.agents import Agent
from relay.imports.origin import Origin

PAUSE_S = 1_800  # contract section 5


@dataclass(slots=True)
class Visit:
    """A visit so far; times are Unix seconds. `pages` has what it saw on `pages_day`, to count each once a day."""

    site: str
    visitor: int
    start_s: int
    last_s: int
    origin: Origin
    agent: Agent
    entry_page: str = ""
    exit_page: str = ""
    pageviews: int = 0
    bounced: bool = True
    pages_day: int = 0
    pages: set[tuple[str, str]] = field(default_factory=set)

    @property
    def duration_s(self) -> int:
        """From its first event to its last."""
        return self.last_s - self.start_s

    def view(self, day: int, hostname: str, path: str) -> bool:
        """A pageview; whether it is the visit's first one of this page on this day."""
        if not self.pageviews:
            self.entry_page = path
        self.exit_page = path
        self.pageviews += 1
        if day != self.pages_day:
            self.pages_day = day
            self.pages.clear()
        seen = len(self.pages)
        self.pages.add((hostname, path))
        return len(self.pages) > seen


class Visits:
    """The open visits, the one that waits longest first. Events come in the order of their times; expire, then find."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[str, int], Visit] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def find(self, site: str, visitor: int) -> Visit | None:
        """This visitor's open visit."""
        return self._open.get((site, visitor))

    def open(self, visit: Visit) -> None:
        """A new visit; the visitor must have none."""
        self._open[visit.site, visit.visitor] = visit

    def touch(self, visit: Visit, visitor: int, now_s: int) -> None:
        """It goes on now; `visitor` may be the same person's number of the next day."""
        if visitor == visit.visitor:
            self._open.move_to_end((visit.site, visitor))
        else:
            del self._open[visit.site, visit.visitor]
            visit.visitor = visitor
            self._open[visit.site, visitor] = visit
        visit.last_s = now_s

    def expired(self, now_s: int) -> Iterator[Visit]:
        """Close those whose pause is over."""
        while self._open:
            key, visit = next(iter(self._open.items()))
            if now_s - visit.last_s <= PAUSE_S:
                return
            del self._open[key]
            yield visit

    def rest(self) -> Iterator[Visit]:
        """Close all."""
        while self._open:
            yield self._open.popitem(last=False)[1]
