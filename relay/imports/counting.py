"""The way of one event into the numbers: in order, read, recognised, put to its visit, counted on its day.

Held in memory: the events of the window, the open visits, and the days that are not over. A day that is over is
handed on and forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from relay.imports.agents import Agent
from relay.imports.calendar import Calendar
from relay.imports.days import WITH_PATH, WITH_URL, Day
from relay.imports.identity import DAY_S, Identity
from relay.imports.ordering import Ordering
from relay.imports.origin import origin_of
from relay.imports.page import Page, page_of
from relay.imports.visits import PAUSE_S, Visit, Visits
from relay.replay.page import PAGEVIEW, Kept
from relay.rules.document import read_object
from relay.rules.fault import Fault
from relay.rules.fields import is_interactive

ENGAGEMENT: Final = "engagement"


class Untold(StrEnum):
    """What is not in the tables. Of events with props or a revenue that part is lost, the others are left out whole."""

    BOT = "bot"
    ENGAGEMENT = "engagement"
    OUT_OF_ORDER = "out_of_order"
    PROPS = "props"
    REVENUE = "revenue"


LEFT_OUT: Final = (Untold.BOT, Untold.ENGAGEMENT, Untold.OUT_OF_ORDER)


@dataclass(frozen=True, slots=True)
class Closed:
    """A day of a site that is over; `day` is its ordinal."""

    site: str
    day: int
    numbers: Day


class Counting:
    """Events in, finished days out. `describe` reads a User-Agent, and gives None for a bot.

    No event may lie in the future: one line of a wrong clock would put all others out of order.
    """

    def __init__(
        self,
        identity: Identity,
        describe: Callable[[bytes | None], Agent | None],
        calendar: Calendar,
    ) -> None:
        self._identity = identity
        self._describe = describe
        self._calendar = calendar
        self._ordering = Ordering()
        self._visits = Visits()
        self._days: dict[int, dict[str, Day]] = {}
        self._frontier_s = -(1 << 62)
        self._untold = dict.fromkeys(Untold, 0)

    @property
    def untold(self) -> Mapping[Untold, int]:
        """How many events were left out, or lost a part, and why."""
        return self._untold | {Untold.OUT_OF_ORDER: self._ordering.too_late}

    def take(self, kept: Kept) -> Iterable[Closed]:
        """Take one event; the days that are over now."""
        if kept.name == ENGAGEMENT:
            self._untold[Untold.ENGAGEMENT] += 1
            return ()
        closed: list[Closed] = []
        for one in self._ordering.push(kept):
            self._count(one, closed)
        return closed

    def finish(self) -> Iterator[Closed]:
        """All that is left, when no event comes any more."""
        closed: list[Closed] = []
        for one in self._ordering.rest():
            self._count(one, closed)
        yield from closed
        for visit in self._visits.rest():
            self._book(visit)
        yield from self._close(max(self._days, default=0) + 1)

    def _count(self, kept: Kept, closed: list[Closed]) -> None:
        now_s = kept.at_ms // 1_000
        for visit in self._visits.expired(now_s):
            self._book(visit)
        if now_s - self._frontier_s >= PAUSE_S:
            self._frontier_s = now_s
            self._identity.forget(now_s // DAY_S - 1)
            closed.extend(self._close(self._calendar.day(now_s - PAUSE_S - 1)))
        agent = self._describe(kept.user_agent)
        if agent is None:
            self._untold[Untold.BOT] += 1
            return
        hash_mode, interactive = _ready(kept.ready) if kept.ready else (False, True)
        page = page_of(kept.url, hash_mode=hash_mode)
        self._note(kept, page, self._visit(kept, page, agent, interactive=interactive))

    def _visit(self, kept: Kept, page: Page, agent: Agent, *, interactive: bool) -> Visit:
        """The visit that this event belongs to, brought up to it."""
        now_s = kept.at_ms // 1_000
        person = self._identity.person(kept.user_agent, kept.ip, kept.site, page.hostname)
        day = now_s // DAY_S
        visitor = self._identity.visitor(person, day)
        visit = self._visits.find(kept.site, visitor)
        if visit is None and now_s % DAY_S <= PAUSE_S:
            visit = self._visits.find(kept.site, self._identity.visitor(person, day - 1))
        if visit is None:
            visit = Visit(kept.site, visitor, now_s, now_s, origin_of(page, kept.referrer), agent)
            self._visits.open(visit)
        else:
            self._visits.touch(visit, visitor, now_s)
            visit.bounced = visit.bounced and not interactive
        return visit

    def _note(self, kept: Kept, page: Page, visit: Visit) -> None:
        """Count the event on its day, and what of it is lost."""
        on = self._calendar.day(kept.at_ms // 1_000)
        day = self._day(on, kept.site)
        self._untold[Untold.REVENUE] += bool(kept.revenue)
        if kept.name == PAGEVIEW:
            self._untold[Untold.PROPS] += bool(kept.props)
            is_first = visit.view(on, page.hostname, page.path)
            day.add_view(page.hostname, page.path, visit.visitor, first_in_visit=is_first)
            return
        url = kept.props.get("url", "") if kept.name in WITH_URL else ""
        path = kept.props.get("path", page.path) if kept.name in WITH_PATH else ""
        carried = "url" if kept.name in WITH_URL else "path" if kept.name in WITH_PATH else ""
        self._untold[Untold.PROPS] += any(key != carried for key in kept.props)
        day.add_event(kept.name, url, path, visit.visitor)

    def _book(self, visit: Visit) -> None:
        self._day(self._calendar.day(visit.last_s), visit.site).add_visit(visit)

    def _day(self, day: int, site: str) -> Day:
        sites = self._days.get(day)
        if sites is None:
            sites = self._days[day] = {}
        found = sites.get(site)
        if found is None:
            found = sites[site] = Day()
        return found

    def _close(self, before_day: int) -> Iterator[Closed]:
        for day in sorted(day for day in self._days if day < before_day):
            for site, numbers in self._days.pop(day).items():
                yield Closed(site, day, numbers)


def _ready(body: bytes) -> tuple[bool, bool]:
    """Of a body as Plausible takes it: whether the fragment is a part of the path, and whether it was interactive."""
    fields = read_object(body)
    if isinstance(fields, Fault):
        return False, True
    return fields.get("h", fields.get("hashMode")) in (1, "1"), is_interactive(fields)
