"""Many lines at once: which became events, and what became of the others. Pure; one call for a block of a megabyte."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from relay.queue.marked import Placed
from relay.queue.once import Once
from relay.queue.stored import StoredEvent
from relay.replay.admitting import Admission
from relay.replay.keeping import Keeper
from relay.replay.outcomes import LeftOut, Reason, Refusal
from relay.replay.page import Kept

MAX_LINE_BYTES: Final = 1_048_576  # a body may have a million bytes
SCOPE: Final = "\nreplay"  # tells ids in logs from the keys of senders: no source can have such a name
BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Lines:
    """Whole lines without their ends. `offset` is where the first begins, `number` how many came before it.

    `dropped`: bytes of the first, which was too long, that are not here. `open_end`: the last has no line end.
    """

    offset: int
    number: int
    lines: list[bytes]
    dropped: int = 0
    open_end: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that was refused: its number, beginning with 1."""

    number: int
    refusal: Refusal


@dataclass(slots=True)
class Batch:
    """What became of some lines. `end` is the offset of what comes after them; `events` have their line's offset.

    `kept`: the lines that became events, as they were read.
    """

    end: int
    lines: int = 0
    events: list[Placed] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    refused: list[Refused] = field(default_factory=list)

    def refuse(self, lines: Lines, refusal: Refusal) -> None:
        """The line that is looked at is refused."""
        self.refused.append(Refused(lines.number + self.lines + 1, refusal))

    def admit(self, lines: Lines, offset: int, kept: Kept, admitted: list[StoredEvent] | Refusal) -> None:
        """The line that is looked at was kept, and perhaps admitted."""
        if isinstance(admitted, Refusal):
            self.refuse(lines, admitted)
            return
        self.kept.append(kept)
        once = None if kept.once is None else Once(SCOPE, kept.once, kept.body)
        self.events.extend(Placed(offset, event, once) for event in admitted)


def judge(lines: Lines, keeper: Keeper, admission: Admission, now_ms: int) -> Batch:
    """Judge each line. What an unfinished last line says is taken only if it is whole all the same."""
    batch = Batch(lines.offset)
    keep, left_out = keeper.keep, batch.left_out
    at, extra = lines.offset, lines.dropped
    for line in lines.lines:
        if len(line) > MAX_LINE_BYTES:
            batch.refuse(lines, _TOO_LONG)
        else:
            outcome = keep(bare(line) if line[-1:] == b"\r" or at == 0 else line)
            if isinstance(outcome, str):
                left_out[outcome] += 1
            elif isinstance(outcome, Refusal):
                batch.refuse(lines, outcome)
            else:
                batch.admit(lines, at, outcome, admission.admit(outcome, now_ms))
        batch.lines += 1
        at += len(line) + 1 + extra
        extra = 0
    batch.end = at
    if lines.open_end:
        _look_at_the_end(batch, lines)
    return batch


def bare(line: bytes) -> bytes:
    """A line as the format knows it: without what some systems put before a file and at the end of a line."""
    return line.removesuffix(b"\r").removeprefix(BOM)


def _look_at_the_end(batch: Batch, lines: Lines) -> None:
    """The last line may not be whole: if it makes no sense it is left for the next run."""
    batch.end -= 1  # there is no line end
    last = batch.refused[-1] if batch.refused else None
    if last is not None and last.number == lines.number + batch.lines and last.refusal.reason is Reason.MALFORMED:
        batch.refused.pop()
        batch.left_out[LeftOut.UNFINISHED] += 1
        batch.end -= len(lines.lines[-1])


_TOO_LONG = Refusal(Reason.TOO_LONG, f"a line may have {MAX_LINE_BYTES:,} bytes")
