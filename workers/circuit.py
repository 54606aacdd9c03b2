"""A circuit: after failures it opens, and only single probes pass, ever more seldom, until one succeeds.

One for the upstream as a whole, one for each site. The clock and the draw are arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PROBE_SHARE: Final = 0.2  # the gap between probes is this share of the outage so far: recovery is seen that soon
PROBE_CAP_S: Final = 60.0


@dataclass(slots=True)
class Circuit:
    """Open or closed, and when the next request may pass. Times are monotonic seconds; `down_since_s` is set if open.

    `base_s` and `cap_s` bound the gap between probes.
    """

    base_s: float
    cap_s: float
    down_since_s: float | None = None
    next_s: float = 0.0
    probing: bool = False
    reason: str = ""

    @property
    def down(self) -> bool:
        """Whether it is open: only probes pass."""
        return self.down_since_s is not None

    def lets_pass(self, now_s: float) -> bool:
        """Whether one more request may go: a single probe at its time while open, none within a pause."""
        return now_s >= self.next_s and not (self.probing and self.down)

    def began(self) -> None:
        """A request goes."""
        self.probing = self.down

    def open(self, now_s: float, draw: float, reason: str) -> None:
        """Open it."""
        self.down_since_s = now_s
        self.failed(now_s, draw, reason)

    def failed(self, now_s: float, draw: float, reason: str) -> None:
        """A request failed while it was open. `draw` is 0 to 1."""
        assert self.down_since_s is not None  # noqa: S101 - a closed one has no gap between probes
        self.probing = False
        self.reason = reason
        self.next_s = max(self.next_s, now_s + self._gap_s(now_s - self.down_since_s, draw))

    def pause(self, until_s: float) -> None:
        """Let nothing pass before then."""
        self.next_s = max(self.next_s, until_s)

    def close(self) -> float | None:
        """A definite answer came. Returns since when it was open, None if it was not."""
        self.probing = False
        since_s, self.down_since_s = self.down_since_s, None
        if since_s is not None:
            self.next_s, self.reason = 0.0, ""
        return since_s

    def _gap_s(self, outage_s: float, draw: float) -> float:
        most_s = min(PROBE_CAP_S, max(self.cap_s, 1.0))
        gap_s = min(most_s, max(self.base_s, outage_s * PROBE_SHARE))
        return gap_s * (0.75 + draw / 2)
