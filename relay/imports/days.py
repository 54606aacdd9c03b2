"""The numbers of one site's day in all ten tables, as Plausible's exporter sums them.

A visit counts on the day of its last event, for the visitor it had then; a pageview and a custom event on their own
day. Only the visitors of a day are held one by one, and only until the day is over.
"""

from __future__ import annotations

from collections.abc import Iterator

from relay.imports.tables import COUNTS, Table
from relay.imports.visits import Visit

WITH_URL = frozenset({"Outbound Link: Click", "Cloaked Link: Click", "File Download"})
"""The events whose prop `url` the import carries: `SystemGoals` upstream."""
WITH_PATH = frozenset({"404", "WP Form Completions", "Form: Submission"})
"""The events whose prop `path` it carries; without one, the path of the page."""

Key = tuple[str, ...]


class Row:
    """One row's numbers; its attributes are the columns of the tables."""

    __slots__ = ("bounces", "events", "pageviews", "people", "visit_duration", "visits")

    def __init__(self) -> None:
        self.people: set[int] = set()
        self.visits = 0
        self.visit_duration = 0
        self.bounces = 0
        self.pageviews = 0
        self.events = 0

    @property
    def visitors(self) -> int:
        """How many visitors."""
        return len(self.people)

    @property
    def entrances(self) -> int:
        """Visits that began here."""
        return self.visits

    @property
    def exits(self) -> int:
        """Visits that ended here."""
        return self.visits


class Day:
    """A day of one site."""

    def __init__(self) -> None:
        self._tables: dict[Table, dict[Key, Row]] = {table: {} for table in Table}

    def add_view(self, hostname: str, path: str, visitor: int, *, first_in_visit: bool) -> None:
        """A pageview; `first_in_visit`: the visit had not seen this page on this day."""
        row = self._row(Table.PAGES, (hostname, path))
        row.people.add(visitor)
        row.visits += first_in_visit
        row.pageviews += 1
        self._row(Table.VISITORS, ()).pageviews += 1

    def add_event(self, name: str, link_url: str, path: str, visitor: int) -> None:
        """A custom event."""
        row = self._row(Table.CUSTOM_EVENTS, (name, link_url, path))
        row.people.add(visitor)
        row.events += 1

    def add_visit(self, visit: Visit) -> None:
        """A visit that is over."""
        agent = visit.agent
        for table, key in (
            (Table.SOURCES, visit.origin),
            (Table.ENTRY_PAGES, (visit.entry_page,)),
            (Table.EXIT_PAGES, (visit.exit_page,)),
            (Table.DEVICES, (agent.device,)),
            (Table.BROWSERS, (agent.browser, agent.browser_version)),
            (Table.OPERATING_SYSTEMS, (agent.operating_system, agent.operating_system_version)),
        ):
            row = self._row(table, key)
            _sum(row, visit)
            row.pageviews += visit.pageviews
        _sum(self._row(Table.VISITORS, ()), visit)  # its pageviews count on their own days: add_view

    def rows(self, table: Table) -> Iterator[tuple[Key, tuple[int, ...]]]:
        """The rows of a table, in the order of their keys: the key, and the numbers in the order of the columns."""
        counts = COUNTS[table]
        for key, row in sorted(self._tables[table].items()):
            yield key, tuple(getattr(row, count) for count in counts)

    def total(self) -> Row:
        """The numbers of the whole day."""
        return self._row(Table.VISITORS, ())

    def events(self) -> int:
        """How many custom events."""
        return sum(row.events for row in self._tables[Table.CUSTOM_EVENTS].values())

    def _row(self, table: Table, key: Key) -> Row:
        rows = self._tables[table]
        row = rows.get(key)
        if row is None:
            row = rows[key] = Row()
        return row


def _sum(row: Row, visit: Visit) -> None:
    row.people.add(visit.visitor)
    row.visits += 1
    row.visit_duration += visit.duration_s
    row.bounces += visit.bounced
