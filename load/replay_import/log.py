"""A combined log of a busy site, and with each line what its maker meant by it.

Visitors come, look at pages, load files and sign up (`RULES` says which lines are that), with pauses from seconds to
hours, and go; a line in nine is a style sheet, a bot or an error, which counts nowhere. Lines are up to eight minutes
out of order. The same `seed` gives the same log.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from heapq import heappop, heappush
from typing import IO, NamedTuple
from zoneinfo import ZoneInfo

from load.replay_import.naive import Meant

BEGAN_S = int(datetime(2026, 3, 20, tzinfo=UTC).timestamp())  # ten days later Europe's summer time has begun
SITE = "example.com"
PAGES = ["/", "/pricing", "/docs", "/über-uns", *(f"/blog/{n}" for n in range(3_000))]
RULES = """
[[rule]]
name = "gone"
status = ["404"]
event = "404"

[[rule]]
name = "downloads"
path = "/files/*"
event = "File Download"
props = { url = "https://example.com{path}" }

[[rule]]
name = "signups"
path = "/thanks"
event = "Signup"
props = { plan = "{query.plan}" }
"""
JUNK = [
    ('"GET /style.css HTTP/2.0" 200', False),
    ('"GET /broken HTTP/1.1" 500', False),
    ('"POST /form HTTP/1.1" 302', False),
    ('"GET / HTTP/1.1" 200', True),
]
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


class Agent(NamedTuple):
    """A User-Agent and what it is in Plausible's words."""

    text: str
    means: tuple[str, str, str, str, str]


class Origin(NamedTuple):
    """The query and the referrer of a visit's first request, and what they are in imported_sources."""

    query: str
    referrer: str
    means: tuple[str, ...]


def agents() -> list[Agent]:
    """Browsers on phones and desks, 120 of them."""
    desks = [
        Agent(
            f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/{n}.0.0.0 Safari/537.36",
            ("Desktop", "Chrome", f"{n}.0", "Windows", "10"),
        )
        for n in range(90, 140)
    ]
    foxes = [
        Agent(
            f"Mozilla/5.0 (X11; Linux x86_64; rv:{n}.0) Gecko/20100101 Firefox/{n}.0",
            ("Desktop", "Firefox", f"{n}.0", "GNU/Linux", ""),
        )
        for n in range(100, 140)
    ]
    phones = [
        Agent(
            f"Mozilla/5.0 (iPhone; CPU iPhone OS {n}_{m} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            f"Version/{n}.{m} Mobile/15E148 Safari/604.1",
            ("Mobile", "Safari", f"{n}.{m}", "iOS", f"{n}.{m}"),
        )
        for n in range(14, 19)
        for m in range(6)
    ]
    return desks + foxes + phones


ORIGINS = [
    Origin("", "-", ("", "", "", "", "", "", "")),
    Origin("", "https://www.google.com/", ("Google", "google.com", "", "", "", "", "")),
    Origin("", "https://example.com/before", ("", "", "", "", "", "", "")),
    Origin("", "https://news.ycombinator.com/item?id=1", ("Hacker News", "news.ycombinator.com/item", *[""] * 5)),
    Origin("utm_source=letter&utm_campaign=may", "-", ("letter", "", "letter", "", "may", "", "")),
    Origin("ref=partner", "https://a.example/x/", ("partner", "a.example/x", "partner", "", "", "", "")),
]


class Maker:
    """Writes the log, and gives what it meant."""

    def __init__(self, lines: int, seed: int, zone: ZoneInfo) -> None:
        self._lines = lines
        self._chance = random.Random(seed)
        self._zone = zone
        self._agents = agents()
        self._days: dict[int, str] = {}
        # A new request every 1.5 s of log time: a million lines are 17 days.
        self._next_s = BEGAN_S

    def write(self, file: IO[str]) -> Iterator[Meant]:
        """Write all lines, late ones late; what each meant comes when it is written."""
        waiting: list[tuple[int, int, str, Meant | None]] = []
        people: list[tuple[int, int]] = []
        for number in range(self._lines):
            now_s, line, meant = self._request(people)
            heappush(waiting, (now_s + int(self._chance.paretovariate(1.5)) % 480, number, line, meant))
            while waiting and waiting[0][0] < self._next_s - 480:
                yield from self._put(file, heappop(waiting))
        while waiting:
            yield from self._put(file, heappop(waiting))

    def _put(self, file: IO[str], one: tuple[int, int, str, Meant | None]) -> Iterator[Meant]:
        file.write(one[2])
        if one[3] is not None:
            yield one[3]

    def _request(self, people: list[tuple[int, int]]) -> tuple[int, str, Meant | None]:
        """The next request in time: of somebody who is here, or of somebody new."""
        chance = self._chance
        self._next_s += chance.choice((0, 1, 1, 2, 3))
        if people and people[0][0] <= self._next_s:
            now_s, who = heappop(people)
            self._next_s = max(self._next_s, now_s)
        else:
            now_s, who = self._next_s, chance.randrange(120_000)
        if chance.random() < 0.7:  # noqa: PLR2004 - three visitors in ten go
            heappush(people, (now_s + chance.choice((5, 40, 200, 900, 1_799, 1_800, 1_801, 2_500, 20_000)), who))
        return now_s, *self._said(now_s, who)

    def _said(self, now_s: int, who: int) -> tuple[str, Meant | None]:
        """The line, and what it means: None if it counts nowhere."""
        chance = self._chance
        ip = f"10.{who >> 16}.{who >> 8 & 255}.{who & 255}"
        agent = self._agents[who % len(self._agents)]
        at = datetime.fromtimestamp(now_s, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
        if chance.random() < 1 / 9:
            request, bot = chance.choice(JUNK)
            return f'{ip} - - [{at}] {request} 512 "-" "{BOT if bot else agent.text}"\n', None
        path, status, shown = self._did(chance.randrange(100))
        origin = chance.choice(ORIGINS)
        url = f"{path}{'&' if '?' in path else '?'}{origin.query}" if origin.query else path
        line = f'{ip} - - [{at}] "GET {url} HTTP/1.1" {status} 5120 "{origin.referrer}" "{agent.text}"\n'
        day = self._day(now_s)
        return line, Meant._make((now_s, day, now_s // 86_400, SITE, f"{who}", *shown, *origin.means, *agent.means))

    def _did(self, lot: int) -> tuple[str, int, tuple[str, str, str, int, str, str]]:
        """What the request was for: path and query, status, and what it means from its name on."""
        number = self._chance.randrange(50)
        if lot < 4:  # noqa: PLR2004 - of a hundred, as below
            page = f"/files/{number}.pdf"
            return page, 200, ("File Download", SITE, page, 1, f"https://{SITE}{page}", "")
        if lot < 7:  # noqa: PLR2004
            return f"/thanks?plan={number % 3}", 200, ("Signup", SITE, "/thanks", 1, "", "")
        if lot < 10:  # noqa: PLR2004
            page = f"/gone/{number}"
            return page, 404, ("404", SITE, page, 1, "", page)
        page = PAGES[min(int(self._chance.paretovariate(0.6)) - 1, len(PAGES) - 1)]
        return page.replace("ü", "%C3%BC"), 200, ("pageview", SITE, page, 1, "", "")

    def _day(self, now_s: int) -> str:
        hour = now_s // 1_800
        if hour not in self._days:
            self._days[hour] = datetime.fromtimestamp(now_s, self._zone).date().isoformat()
        return self._days[hour]
