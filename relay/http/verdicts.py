"""What a batch's sender is told of each item, and the answer that holds it all.

A refused item was not kept, and will not be as it is; one with `retry_after_s` was refused for the moment only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Final

import orjson

from relay.rules.batch import MAX_ITEMS


class Status(StrEnum):
    """What became of an item. `duplicate`: an item of its id and body was kept before, and this one was not."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One item's; `errors` as for a single event, `retry_after_s` if it may be sent again unchanged."""

    status: Status
    errors: Mapping[str, list[str]] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    retry_after_s: int | None = None


ACCEPTED: Final = Verdict(Status.ACCEPTED)
"""Of nearly all items: kept, and nothing to be said of it."""

_ACCEPTED_AT: Final = [b'{"index":%d,"status":"accepted","errors":{},"warnings":[]}' % n for n in range(MAX_ITEMS)]


def counted(verdicts: Sequence[Verdict]) -> Counter[str]:
    """How many verdicts of each status."""
    accepted = verdicts.count(ACCEPTED)
    counts: Counter[str] = Counter()
    if accepted:
        counts[Status.ACCEPTED] = accepted
    if accepted < len(verdicts):
        counts.update(verdict.status for verdict in verdicts if verdict != ACCEPTED)
    return counts


def answer(verdicts: Sequence[Verdict], counts: Mapping[str, int]) -> bytes:
    """The body of a batch's 202."""
    if verdicts.count(ACCEPTED) == len(verdicts):
        return _all_accepted(len(verdicts))
    told = _ACCEPTED_AT[: len(verdicts)]
    for index, verdict in enumerate(verdicts):
        if verdict is not ACCEPTED:
            told[index] = _told(index, verdict)
    return _whole(counts[Status.ACCEPTED], counts[Status.DUPLICATE], counts[Status.REFUSED], told)


@lru_cache(maxsize=16)
def _all_accepted(count: int) -> bytes:
    """The answer to nearly all batches; most senders fill theirs to the same number."""
    return _whole(count, 0, 0, _ACCEPTED_AT[:count])


def _whole(accepted: int, duplicates: int, refused: int, told: Sequence[bytes]) -> bytes:
    sums = b'"accepted":%d,"duplicates":%d,"refused":%d' % (accepted, duplicates, refused)
    return b'{%b,"events":[%b]}' % (sums, b",".join(told))


def _told(index: int, verdict: Verdict) -> bytes:
    told = {"index": index, "status": verdict.status, "errors": verdict.errors, "warnings": verdict.warnings}
    return orjson.dumps(told if verdict.retry_after_s is None else told | {"retry_after_s": verdict.retry_after_s})
