"""What a replay came to, counted as it goes: each line is an event, left out, refused, or queued before."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from relay.replay.batch import Batch


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
