"""One Plausible as this worker sees it: how many deliveries it takes at a time, what is down, whose fault a failure is.

A circuit and an additive-increase, multiplicative-decrease limit for all, and a circuit for each site: what fails
for one site alone is no sign against the others. The clock and the draw are arguments; nothing is sent from here.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

from relay.rules.judge import Others, Trouble, TryAgain
from workers.circuit import Circuit
from workers.sites import Site

if TYPE_CHECKING:
    from workers.lanes import Entry

FIRST_LIMIT: Final = 8  # deliveries side by side before Plausible has shown what it takes
DOWN_AFTER: Final = 5  # failures in a row, of any events, without one success between them
FROM_ONE_SITE: Final = 3  # so many of these count at most from one site, if there are others
PASS_RATIO: Final = 4  # others pass when four of them passed for one that failed
CERTAIN: Final = frozenset({Trouble.UNREACHABLE, Trouble.MISCONFIGURED})  # never one event's or site's own fault
RECENT_S: Final = 600.0  # a site that was tried within this time counts as one of several
SHOWN: Final = 20  # sites that a status page names at most


class Fell(StrEnum):
    """What a failure took down."""

    NOTHING = "nothing"
    SITE = "site"
    UPSTREAM = "upstream"


@dataclass(frozen=True, slots=True)
class Mark:
    """The counters at one moment: successes and failures of a site, and of all."""

    site_passed: int
    site_failed: int
    passed: int
    failed: int


@dataclass(slots=True)
class Upstream:
    """Health and pace of one upstream. Times are monotonic seconds."""

    base_s: float
    cap_s: float
    most: int
    limit: float = FIRST_LIMIT
    passed: int = 0
    failed: int = 0
    under_way: int = 0
    """Deliveries that have begun and not ended."""
    circuit: Circuit = field(init=False)
    sites: WeakValueDictionary[str, Site] = field(default_factory=WeakValueDictionary)
    _steep: bool = True
    _failed_in_a_row: Counter[str] = field(default_factory=Counter)
    _tried: str | None = None
    """The site that was tried last."""
    _tried_s: float = -math.inf
    _other_s: float = -math.inf
    """When another one than that was tried last."""

    def __post_init__(self) -> None:
        self.limit = min(self.limit, self.most)
        self.circuit = Circuit(self.base_s, self.cap_s)

    @property
    def down(self) -> bool:
        """Whether only probes are sent."""
        return self.circuit.down

    def site(self, name: str) -> Site:
        """The site of that name; it is kept for as long as somebody holds it."""
        found = self.sites.get(name)
        if found is None:
            found = self.sites[name] = Site(name, Circuit(self.base_s, self.cap_s))
        return found

    def may_send(self, now_s: float) -> bool:
        """Whether one more delivery may start now, whosever; while down that is a single probe at its time."""
        return self.circuit.lets_pass(now_s) and (self.under_way + 1 <= self.limit or self.down)

    def may_send_for(self, site: Site, now_s: float) -> bool:
        """Whether it may be one of this site: half of all at most if there are others, and not while it is down.

        While the upstream is down each site's event is as good a probe as any.
        """
        limit = int(self.limit)
        return self.down or site.lets_pass(now_s, max(1, limit // 2) if self._several(now_s) else limit)

    def began(self, site: Site, entry: Entry, now_s: float) -> None:
        """A delivery of that site starts."""
        self.under_way += 1
        site.began(entry, now_s)
        (self.circuit if self.down else site.circuit).began()
        if site.name != self._tried:
            self._other_s, self._tried = self._tried_s, site.name
        self._tried_s = now_s

    def ended(self, site: Site, entry: Entry) -> None:
        """It has ended, however; what that says is told next."""
        self.under_way -= 1
        site.ended(entry)

    def undecided(self, site: Site) -> None:
        """It says nothing of the upstream: if it was a probe, another may go."""
        self.circuit.probing = site.circuit.probing = False

    def answered(self, site: Site) -> tuple[float | None, float | None]:
        """A definite answer came. Returns since when the upstream and the site were down, if that ends it now.

        The first step after an outage is small again, so recovery ramps up; all sites are tried again at once.
        """
        self.passed += 1
        site.passed += 1
        self._failed_in_a_row.clear()
        site.failed_in_a_row = 0
        self.limit = min(self.most, self.limit + (1.0 if self._steep else 1.0 / self.limit))
        since_s = self.circuit.close() if self.down else None
        if since_s is not None:
            self.limit, self._steep = 1.0, True
            for other in self.sites.values():
                other.circuit.next_s = 0.0
        return since_s, site.circuit.close() if site.circuit.down else None

    def stumbled(self, site: Site, verdict: TryAgain, now_s: float, draw: float, *, fails_alone: bool = False) -> Fell:
        """An attempt failed. Returns what that takes down now. `draw` is 0 to 1.

        What an event does that `fails_alone` while others pass is no sign against anybody, and what it is asked to
        wait is for itself.
        """
        several = self._several(now_s)
        reason = f"{verdict.trouble}: {verdict.detail}"
        self.undecided(site)
        if verdict.pause_s and not fails_alone:
            (site.circuit if several else self.circuit).pause(now_s + verdict.pause_s)
        certain = verdict.trouble in CERTAIN
        if certain or not fails_alone:
            self._count_failure(site, several=several)
        if self.down:
            self.circuit.failed(now_s, draw, reason)
        elif certain or self._enough(several=several):
            self.circuit.open(now_s, draw, reason)
            return Fell.UPSTREAM
        elif site.circuit.down:
            site.circuit.failed(now_s, draw, reason)
        elif site.failed_in_a_row >= DOWN_AFTER:
            site.circuit.open(now_s, draw, reason)
            return Fell.SITE
        return Fell.NOTHING

    def _count_failure(self, site: Site, *, several: bool) -> None:
        self.failed += 1
        site.failed += 1
        site.failed_in_a_row += 1
        self._failed_in_a_row[site.name] += 1
        if not several or len(self._failed_in_a_row) > 1:
            self.limit, self._steep = max(1.0, self.limit / 2), False

    def _enough(self, *, several: bool) -> bool:
        most = FROM_ONE_SITE if several else DOWN_AFTER
        return sum(min(most, n) for n in self._failed_in_a_row.values()) >= DOWN_AFTER

    def _several(self, now_s: float) -> bool:
        """Whether more than one site was tried of late."""
        return now_s - self._other_s < RECENT_S

    def mark(self, site: Site) -> Mark:
        """The counters now."""
        return Mark(site.passed, site.failed, self.passed, self.failed)

    def others(self, site: Site, since: Mark, own_failures: int) -> Others:
        """How other events fared since then, those of the same site if there were any.

        `own_failures` of the asking event are left out.
        """
        passed, failed = site.passed - since.site_passed, site.failed - since.site_failed - own_failures
        if passed <= 0 and failed <= 0:
            passed, failed = self.passed - since.passed, self.failed - since.failed - own_failures
        if passed > 0 and passed >= PASS_RATIO * failed:
            return Others.PASS
        return Others.FAIL if failed > 0 else Others.UNKNOWN

    def describe(self, now_s: float) -> dict[str, Any]:
        """For status pages: up or down, why, for how long, the present limit, and the sites that fail by themselves."""
        since_s = self.circuit.down_since_s
        if since_s is not None:
            return {"state": "down", "reason": self.circuit.reason, "down_for_s": round(now_s - since_s, 1)}
        failing = {site.name: site.circuit.reason for site in self.sites.values() if site.circuit.down}
        told: dict[str, Any] = {"state": "up", "limit": int(self.limit)}
        return told | ({"failing_sites": dict(sorted(failing.items())[:SHOWN])} if failing else {})
