"""What a replay came to, counted as it goes: each line is an event, left out, refused, or queued before."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from relay.replay.batch import Batch
from relay.replay.page import PAGEVIEW

MOST_PAGES: Final = 50_000
OTHER_PAGES: Final = "(others)"


@dataclass(slots=True)
class Summary:
    """`lines` = those that became events + left out + refused. An event for two sites is two `events`.

    `events` = `queued` + `duplicates` (in the queue before) + those that a stop left for the next run.
    """

    lines: int = 0
    events: int = 0
    queued: int = 0
    duplicates: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    sites: Counter[str] = field(default_factory=Counter)
    """Events by site, and by page below: what `--dry-run` shows."""
    pages: Counter[str] = field(default_factory=Counter)

    def add(self, batch: Batch) -> None:
        """Count what became of these lines."""
        self.lines += batch.lines
        self.events += len(batch.events)
        self.left_out.update(batch.left_out)
        self.refused.update(str(one.refusal.reason) for one in batch.refused)

    def count_pages(self, batch: Batch) -> None:
        """Count where the events are from. Pages beyond so many are counted as one, as a log may have any number."""
        for kept in batch.kept:
            self.sites[kept.site] += 1
            page = f"{kept.site} {_path(kept.url)}" if kept.name == PAGEVIEW else f"{kept.site} {kept.name}"
            self.pages[page if page in self.pages or len(self.pages) < MOST_PAGES else OTHER_PAGES] += 1

    def told(self) -> dict[str, Any]:
        """The summary as `--json` prints it."""
        return {
            "lines": self.lines,
            "events": self.events,
            "queued": self.queued,
            "duplicates": self.duplicates,
            "left_out": dict(sorted(self.left_out.items())),
            "refused": self.refused.total(),
            "refused_because": dict(sorted(self.refused.items())),
        }


def _path(url: str) -> str:
    """The path of a page's URL, without query and fragment."""
    path = url.partition("?")[0].partition("#")[0].partition("://")[2]
    return "/" + path.partition("/")[2]
