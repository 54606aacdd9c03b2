"""One site's events at the upstream: the lanes whose turn it is, the deliveries under way, and how they fare.

A site that fails, hangs or is asked to wait keeps the trouble to itself. A site is forgotten when no lane needs it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from workers.circuit import Circuit

if TYPE_CHECKING:
    from workers.lanes import Entry, Lane

STALLED_S: Final = 1.0  # a site whose oldest request has waited so long gets no more than a few at a time
FEW: Final = 8


@dataclass(slots=True, eq=False, weakref_slot=True)
class Site:
    """What the dispatcher knows of one site. `listed` while it is in the dispatcher's round."""

    name: str
    circuit: Circuit
    ready: deque[Lane] = field(default_factory=deque)
    listed: bool = False
    passed: int = 0
    failed: int = 0
    failed_in_a_row: int = 0
    under_way: dict[Entry, float] = field(default_factory=dict)
    """Deliveries under way, oldest first → when they began, monotonic seconds."""

    def lets_pass(self, now_s: float, most: int) -> bool:
        """Whether one more delivery of the site may start, when it may have `most` of them."""
        if self.under_way and now_s - next(iter(self.under_way.values())) > STALLED_S:
            most = min(most, FEW)
        return len(self.under_way) < most and self.circuit.lets_pass(now_s)

    def began(self, entry: Entry, now_s: float) -> None:
        """A delivery starts."""
        self.under_way[entry] = now_s

    def ended(self, entry: Entry) -> None:
        """A delivery has its answer, or none."""
        self.under_way.pop(entry, None)
