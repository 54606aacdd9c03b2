"""What of a partition is in memory: how many events and bytes, together and of each site."""

from __future__ import annotations

from dataclasses import dataclass, field

EVENTS = 4_096  # are read ahead, so that a million pending cost no more than these
BYTES = 8_000_000  # the same for events of unusual size
SHARE = 8  # a site may have this part of both: so many dead ones fill the memory of a partition


@dataclass(slots=True)
class Load:
    """Events in memory."""

    events: int = 0
    size_bytes: int = 0

    def fills(self, part: int) -> bool:
        """Whether this is one such part of what is read ahead, or more."""
        return self.events * part >= EVENTS or self.size_bytes * part >= BYTES

    def room(self, part: int = 1) -> tuple[int, int]:
        """How many events and bytes more such a part has."""
        return EVENTS // part - self.events, BYTES // part - self.size_bytes


@dataclass(slots=True)
class Held(Load):
    """All of a partition's, and `of_site` those of each site that has any."""

    of_site: dict[str, Load] = field(default_factory=dict)

    def count(self, site: str, size_bytes: int, sign: int) -> None:
        """Count an event in (+1) or out (-1)."""
        mine = self.of_site.get(site) or self.of_site.setdefault(site, Load())
        for load in (self, mine):
            load.events += sign
            load.size_bytes += sign * size_bytes
        if not mine.events:
            del self.of_site[site]

    def fill_share(self, site: str) -> bool:
        """Whether the site has its share."""
        return site in self.of_site and self.of_site[site].fills(SHARE)
