"""What the tests of the import have in common: events of one site, and the rows that a counting makes of them."""

from __future__ import annotations

import itertools
import os
from datetime import UTC, datetime, tzinfo

from relay.imports.agents import UNKNOWN, Agent
from relay.imports.calendar import Calendar, written
from relay.imports.counting import Counting
from relay.imports.identity import Identity
from relay.imports.tables import Table
from relay.replay.page import Kept

SITE = "example.com"


def at(text: str) -> int:
    """Unix time in milliseconds of a time in UTC: `2026-03-27 23:50:00`."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000)


def view(at_ms: int, path: str = "/", *, ip: str = "203.0.113.1", agent: bytes = b"desk", site: str = SITE) -> Kept:
    """A pageview."""
    return Kept(at_ms, site, ip, agent, "pageview", f"https://{site}{path}")


def counting(zone: tzinfo = UTC) -> Counting:
    """A counting that knows one agent only, and takes `b"bot"` for a bot."""
    return Counting(Identity(os.urandom, lambda host: host), described, Calendar(zone))


def described(agent: bytes | None) -> Agent | None:
    """Any agent but a bot."""
    return None if agent == b"bot" else UNKNOWN


def rows(events: list[Kept], table: Table, zone: tzinfo = UTC) -> list[tuple[str | int, ...]]:
    """The rows of one table, site by site as they are closed."""
    one = counting(zone)
    closed = [*itertools.chain.from_iterable(map(one.take, events)), *one.finish()]
    return [(written(day.day), *key, *counts) for day in closed for key, counts in day.numbers.rows(table)]
