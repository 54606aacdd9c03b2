"""The ten tables of Plausible's CSV import and their columns: contract section 5, and its page "CSV import".

The one place that names them. A table is known by what it counts by; every row starts with its `date`.
"""

from enum import StrEnum
from typing import Final


class Table(StrEnum):
    """A table, by the name that its file begins with."""

    VISITORS = "imported_visitors"
    SOURCES = "imported_sources"
    PAGES = "imported_pages"
    ENTRY_PAGES = "imported_entry_pages"
    EXIT_PAGES = "imported_exit_pages"
    CUSTOM_EVENTS = "imported_custom_events"
    LOCATIONS = "imported_locations"
    DEVICES = "imported_devices"
    BROWSERS = "imported_browsers"
    OPERATING_SYSTEMS = "imported_operating_systems"


_UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")
_VISIT = ("visitors", "visits", "visit_duration", "bounces", "pageviews")

KEYS: Final[dict[Table, tuple[str, ...]]] = {
    Table.VISITORS: (),
    Table.SOURCES: ("source", "referrer", *_UTM),
    Table.PAGES: ("hostname", "page"),
    Table.ENTRY_PAGES: ("entry_page",),
    Table.EXIT_PAGES: ("exit_page",),
    Table.CUSTOM_EVENTS: ("name", "link_url", "path"),
    Table.LOCATIONS: ("country", "region", "city"),
    Table.DEVICES: ("device",),
    Table.BROWSERS: ("browser", "browser_version"),
    Table.OPERATING_SYSTEMS: ("operating_system", "operating_system_version"),
}
"""What a table counts by, after the date."""

COUNTS: Final[dict[Table, tuple[str, ...]]] = {
    Table.VISITORS: ("visitors", "pageviews", "bounces", "visits", "visit_duration"),
    Table.SOURCES: ("pageviews", "visitors", "visits", "visit_duration", "bounces"),
    Table.PAGES: ("visits", "visitors", "pageviews"),
    Table.ENTRY_PAGES: ("visitors", "entrances", "visit_duration", "bounces", "pageviews"),
    Table.EXIT_PAGES: ("visitors", "visit_duration", "exits", "bounces", "pageviews"),
    Table.CUSTOM_EVENTS: ("visitors", "events"),
    Table.LOCATIONS: _VISIT,
    Table.DEVICES: _VISIT,
    Table.BROWSERS: _VISIT,
    Table.OPERATING_SYSTEMS: _VISIT,
}
"""What it counts, in the order of its columns; durations in seconds. An entrance and an exit are visits."""


def columns(table: Table) -> tuple[str, ...]:
    """Its header."""
    return ("date", *KEYS[table], *COUNTS[table])


def file_name(table: Table, first: str, last: str) -> str:
    """Its file for the days from `first` to `last`, both as YYYY-MM-DD: `imported_pages_20260101_20260131.csv`."""
    return f"{table}_{first.replace('-', '')}_{last.replace('-', '')}.csv"
