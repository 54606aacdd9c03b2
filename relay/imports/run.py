"""One import, from the first event to the summary: what is written, and what of the log it cannot say."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path

from relay.imports.agents import describer
from relay.imports.calendar import Calendar, written
from relay.imports.counting import LEFT_OUT, Closed, Counting, Untold
from relay.imports.folder import Folder
from relay.imports.identity import Identity, root_finder
from relay.replay.page import Kept

CANNOT = (
    "hours, only days; countries, which no log tells; time on page and scroll depth; revenue; props, but for `url` and "
    "`path` of Plausible's own events; funnels; filters by two columns at a time"
)
"""What Plausible's import has no column for, or a log no word."""

_WORDS = {
    Untold.BOT: "left out: bots by Plausible's lists",
    Untold.ENGAGEMENT: "left out: engagements, for which the import has no columns",
    Untold.OUT_OF_ORDER: "left out: more than ten minutes out of order; sort the log by its times",
    Untold.PROPS: "without their props",
    Untold.REVENUE: "without their revenue",
}


@dataclass(slots=True)
class Site:
    """What was written of one site; days as YYYY-MM-DD, the sums over its days."""

    first_day: str = ""
    last_day: str = ""
    visits: int = 0
    pageviews: int = 0
    events: int = 0

    def add(self, closed: Closed) -> None:
        """One more day."""
        day, total = written(closed.day), closed.numbers.total()
        self.first_day = min(self.first_day or day, day)
        self.last_day = max(self.last_day, day)
        self.visits += total.visits
        self.pageviews += total.pageviews
        self.events += closed.numbers.events()


@dataclass(frozen=True, slots=True)
class Summary:
    """What an import became. `left_out` and `lost` count events by reason, those that are not 0."""

    sites: dict[str, Site]
    left_out: dict[str, int]
    lost: dict[str, int]
    cannot: str = CANNOT
    files: list[Path] = field(default_factory=list)

    @property
    def wrong(self) -> bool:
        """Whether events are missing that belong into the import."""
        return Untold.OUT_OF_ORDER in self.left_out

    def as_json(self) -> dict[str, object]:
        """For `import.json` and `--json`."""
        return {
            "sites": {site: asdict(said) for site, said in sorted(self.sites.items())},
            "left_out": self.left_out,
            "lost": self.lost,
            "cannot": self.cannot,
        }

    def untold(self) -> list[str]:
        """What is missing, in words."""
        return [f"{count:>12,} {_WORDS[Untold(reason)]}" for reason, count in {**self.left_out, **self.lost}.items()]


class Import:
    """Takes events and writes the import. Raises `Missing` without its libraries."""

    def __init__(self, folder: Folder, zone: tzinfo = UTC) -> None:
        self._folder = folder
        self._sites: dict[str, Site] = {}
        self._counting = Counting(Identity(os.urandom, root_finder()), describer(), Calendar(zone))

    def take(self, kept: Kept) -> None:
        """One event of the log."""
        for closed in self._counting.take(kept):
            self._write(closed)

    def finish(self) -> Summary:
        """The log is at its end: write what is left and put the files in their places."""
        for closed in self._counting.finish():
            self._write(closed)
        untold = {reason: count for reason, count in self._counting.untold.items() if count}
        left_out = {str(reason): count for reason, count in untold.items() if reason in LEFT_OUT}
        lost = {str(reason): count for reason, count in untold.items() if reason not in LEFT_OUT}
        summary = Summary(self._sites, left_out, lost)
        if self._sites:
            summary.files.extend(self._folder.publish(summary.as_json()))
        return summary

    def _write(self, closed: Closed) -> None:
        self._folder.write(closed)
        self._sites.setdefault(closed.site, Site()).add(closed)
