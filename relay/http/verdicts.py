"""What a batch's sender is told of each item, and the answer that holds it all.

A refused item was not kept, and will not be as it is; one with `retry_after_s` was refused for the moment only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """What became of an item. `duplicate`: an item of its id and body was kept before, and this one was not."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REFUSED = "refused"


@dataclass(slots=True)
class Verdict:
    """One item's; `errors` as for a single event, `retry_after_s` if it may be sent again unchanged."""

    status: Status
    errors: dict[str, list[str]] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    retry_after_s: int | None = None


def answer(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The body of a batch's 202."""
    counts = Counter(verdict.status for verdict in verdicts)
    return {
        "accepted": counts[Status.ACCEPTED],
        "duplicates": counts[Status.DUPLICATE],
        "refused": counts[Status.REFUSED],
        "events": [_told(index, verdict) for index, verdict in enumerate(verdicts)],
    }


def _told(index: int, verdict: Verdict) -> dict[str, Any]:
    told = {"index": index, "status": verdict.status, "errors": verdict.errors, "warnings": verdict.warnings}
    return told if verdict.retry_after_s is None else told | {"retry_after_s": verdict.retry_after_s}
