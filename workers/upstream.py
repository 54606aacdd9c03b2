"""One Plausible as this worker sees it: how many deliveries it takes at a time, and whether it is down.

A circuit and an additive-increase, multiplicative-decrease limit. The clock and the draw are arguments;
nothing is sent from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from relay.rules.judge import Others, Trouble, TryAgain

FIRST_LIMIT: Final = 8  # deliveries side by side before Plausible has shown what it takes
DOWN_AFTER: Final = 5  # failures in a row, of any events, without one success between them
PROBE_SHARE: Final = 0.2  # the gap between probes is this share of the outage so far: recovery is seen that soon
PROBE_CAP_S: Final = 60.0
PASS_RATIO: Final = 4  # others pass when four of them passed for one that failed
CERTAIN: Final = frozenset({Trouble.UNREACHABLE, Trouble.MISCONFIGURED})  # never one event's own fault


@dataclass(slots=True)
class Upstream:
    """Health and pace of one upstream. Times are monotonic seconds."""

    base_s: float
    cap_s: float
    most: int
    limit: float = FIRST_LIMIT
    passed: int = 0
    failed: int = 0
    down_since_s: float | None = None
    next_s: float = 0.0
    probing: bool = False
    reason: str = ""
    _steep: bool = True
    _failed_in_a_row: int = 0

    @property
    def down(self) -> bool:
        """Whether only probes are sent."""
        return self.down_since_s is not None

    def may_send(self, in_flight: int, now_s: float) -> bool:
        """Whether one more delivery may start now; while down that is a single probe at its time."""
        if now_s < self.next_s:
            return False
        if self.down:
            return not self.probing
        return in_flight < min(int(self.limit), self.most)

    def began(self) -> None:
        """A delivery starts."""
        self.probing = self.down

    def answered(self) -> float | None:
        """A definite answer came. Returns for how many seconds the upstream was down if that ends it now.

        The first step after an outage is small again, so recovery ramps up.
        """
        self.passed += 1
        self._failed_in_a_row = 0
        self.probing = False
        self.limit = min(self.most, self.limit + (1.0 if self._steep else 1.0 / self.limit))
        if self.down_since_s is None:
            return None
        since_s, self.down_since_s = self.down_since_s, None
        self.limit, self._steep, self.next_s, self.reason = 1.0, True, 0.0, ""
        return since_s

    def stumbled(self, verdict: TryAgain, now_s: float, draw: float, *, fails_alone: bool = False) -> bool:
        """An attempt failed. Returns whether that takes the upstream down now. `draw` is 0 to 1.

        What an event does that `fails_alone` while others pass is no sign against the upstream.
        """
        self.probing = False
        certain = verdict.trouble in CERTAIN
        if certain or not fails_alone:
            self._count_failure()
        self.next_s = max(self.next_s, now_s + verdict.pause_s)
        falls = not self.down and (certain or self._failed_in_a_row >= DOWN_AFTER)
        if falls:
            self.down_since_s = now_s
        if self.down_since_s is not None:
            self.reason = f"{verdict.trouble}: {verdict.detail}"
            self.next_s = max(self.next_s, now_s + self._probe_gap_s(now_s - self.down_since_s, draw))
        return falls

    def _count_failure(self) -> None:
        self.failed += 1
        self._failed_in_a_row += 1
        self.limit, self._steep = max(1.0, self.limit / 2), False

    def others(self, passed_before: int, failed_before: int, own_failures: int) -> Others:
        """How other events fared since the counters stood so; `own_failures` of the asking event are left out."""
        passed = self.passed - passed_before
        failed = self.failed - failed_before - own_failures
        if passed > 0 and passed >= PASS_RATIO * failed:
            return Others.PASS
        return Others.FAIL if failed > 0 else Others.UNKNOWN

    def describe(self, now_s: float) -> dict[str, Any]:
        """For status pages: up or down, why, for how long, and the present limit."""
        if self.down_since_s is None:
            return {"state": "up", "limit": int(self.limit)}
        return {"state": "down", "reason": self.reason, "down_for_s": round(now_s - self.down_since_s, 1)}

    def _probe_gap_s(self, outage_s: float, draw: float) -> float:
        most_s = min(PROBE_CAP_S, max(self.cap_s, 1.0))
        gap_s = min(most_s, max(self.base_s, outage_s * PROBE_SHARE))
        return gap_s * (0.75 + draw / 2)
