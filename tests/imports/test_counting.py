"""Every table of an import is what a count in SQL makes of the same events, whatever the log looks like."""

from __future__ import annotations

import itertools
import os
from collections import defaultdict
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from load.replay_import.naive import Meant, Rows, counted, differing
from relay.imports.agents import UNKNOWN, Agent
from relay.imports.calendar import Calendar, written
from relay.imports.counting import Counting
from relay.imports.identity import Identity
from relay.imports.tables import Table
from relay.replay.page import Kept

BEGAN_S = int(datetime(2026, 3, 27, 20, tzinfo=UTC).timestamp())  # summer time begins in Berlin two days later
ZONES = [ZoneInfo("UTC"), ZoneInfo("Europe/Berlin"), ZoneInfo("America/St_Johns"), ZoneInfo("Pacific/Kiritimati")]
AGENTS = {
    b"phone": Agent("Mobile", "Safari", "18.1", "iOS", "18.1"),
    b"desk": Agent("Desktop", "Chrome", "131.0", "Windows", "10"),
    b"old desk": Agent("Desktop", "Chrome", "90.0", "Windows", "10"),
    None: UNKNOWN,
}
HOSTS = {"example.com": "example.com", "shop.example.com": "example.com", "example.org": "example.org"}


class Came(NamedTuple):
    """How an event came, and what imported_sources says of it."""

    query: str
    referrer: str | None
    origin: tuple[str, ...]


class Did(NamedTuple):
    """What an event was, and what imported_custom_events says of it; a `path` of None is the page's."""

    name: str
    props: dict[str, str]
    link_url: str = ""
    path: str | None = ""


CAME = [
    Came("", None, ("", "", "", "", "", "", "")),
    Came("", "https://www.google.co.uk/", ("Google", "google.co.uk", "", "", "", "", "")),
    Came("", "https://blog.example.net/a/?x=1", ("blog.example.net", "blog.example.net/a", "", "", "", "", "")),
    Came("?utm_source=ig&utm_medium=social&utm_term=b%20c", None, ("Instagram", "", "ig", "social", "", "", "b c")),
    Came("?ref=News+Letter", "https://t.co/x", ("News Letter", "t.co/x", "News Letter", "", "", "", "")),
    Came("?gclid=1", "https://google.com", ("Google", "google.com", "", "(gclid)", "", "", "")),
]
DID = [
    Did("pageview", {}),
    Did("pageview", {"author": "x"}),
    Did("Signup", {"plan": "trial"}),
    Did("Outbound Link: Click", {"url": "https://a.example/"}, "https://a.example/"),
    Did("404", {}, "", None),
    Did("404", {"path": "/gone"}, "", "/gone"),
]


class Moment(NamedTuple):
    """One drawn event: how long after the one before, and how much later than its time its line was written."""

    pause_s: int
    written_after_s: int
    ip: str
    agent: bytes | None
    site: str
    host: str
    path: str
    came: Came
    did: Did
    interactive: bool

    def meant(self, at_s: int, zone: ZoneInfo) -> Meant:
        """As the naive count takes it."""
        day = datetime.fromtimestamp(at_s, zone).date().isoformat()
        who = f"{self.ip} {self.agent!r} {HOSTS[self.host]}"
        did = self.did
        shown = (did.name, self.host, self.path, int(self.interactive), did.link_url)
        where = self.path if did.path is None else did.path
        first = (*self.came.origin, *AGENTS[self.agent])
        return Meant._make((at_s, day, at_s // 86_400, self.site, who, *shown, where, *first))

    def kept(self, at_s: int) -> Kept:
        """As the import takes it."""
        url = f"https://www.{self.host}{quote(self.path)}{self.came.query}"
        body = None if self.interactive else b'{"name":"x","interactive":false}'
        at_ms = at_s * 1_000 + 7
        did = self.did
        return Kept(
            at_ms, self.site, self.ip, self.agent, did.name, url, self.came.referrer, did.props, None, body, None
        )


moments = st.builds(
    Moment,
    pause_s=st.sampled_from([0, 1, 59, 900, 1_799, 1_800, 1_801, 7_200, 40_000]),
    written_after_s=st.integers(0, 590),
    ip=st.sampled_from(["203.0.113.1", "2001:db8::1"]),
    agent=st.sampled_from([*AGENTS, b"bot"]),
    site=st.sampled_from(["a.example", "b.example"]),
    host=st.sampled_from(list(HOSTS)),
    path=st.sampled_from(["/", "/über uns", '/"quoted", page']),
    came=st.sampled_from(CAME),
    did=st.sampled_from(DID),
    interactive=st.booleans(),
)


def imported(events: list[Kept], zone: ZoneInfo) -> dict[str, dict[str, Rows]]:
    """What the relay makes of them, by site and table; every cell as text."""
    counting = Counting(Identity(os.urandom, HOSTS.__getitem__), AGENTS.get, Calendar(zone))
    closed = [*itertools.chain.from_iterable(map(counting.take, events)), *counting.finish()]
    found: dict[str, dict[str, Rows]] = defaultdict(lambda: {table: [] for table in Table})
    for one in closed:
        for table in Table:
            rows = one.numbers.rows(table)
            found[one.site][table] += [tuple(map(str, (written(one.day), *key, *counts))) for key, counts in rows]
    assert len({(one.site, one.day) for one in closed}) == len(closed)
    return found


@settings(max_examples=120, deadline=None)
@given(drawn=st.lists(moments, max_size=50), zone=st.sampled_from(ZONES))
def test_every_table_agrees_with_a_naive_count(drawn: list[Moment], zone: ZoneInfo) -> None:
    """Pauses around 30 minutes, nights, time zones, two sites, lines out of order, bots: no row differs."""
    times_s = [BEGAN_S + pause for pause in itertools.accumulate(moment.pause_s for moment in drawn)]
    lines = sorted(zip(times_s, drawn, strict=True), key=lambda line: line[0] + line[1].written_after_s)
    wanted = counted(moment.meant(at_s, zone) for at_s, moment in lines if moment.agent != b"bot")
    found = imported([moment.kept(at_s) for at_s, moment in lines], zone)
    assert found.keys() == wanted.keys()
    for site, tables in wanted.items():
        assert differing(tables, found[site]) == []
