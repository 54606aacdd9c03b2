"""Many lines at once: which became events, and what became of the others. Pure; one call for a block of a megabyte."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from relay.queue.stored import StoredEvent
from relay.replay.admitting import Admission
from relay.replay.keeping import Keeper
from relay.replay.outcomes import LeftOut, Reason, Refusal
from relay.replay.page import Kept

MAX_LINE_BYTES: Final = 1_048_576  # a body may have a million bytes
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
    events: list[tuple[int, StoredEvent]] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    refused: list[Refused] = field(default_factory=list)


def judge(lines: Lines, keeper: Keeper, admission: Admission, now_ms: int) -> Batch:
    """Judge each line. What an unfinished last line says is taken only if it is whole all the same."""
    batch = Batch(lines.offset)
    keep, admit, events, left_out = keeper.keep, admission.admit, batch.events, batch.left_out
    at, extra = lines.offset, lines.dropped
    for line in lines.lines:
        outcome: object = (
            _TOO_LONG if len(line) > MAX_LINE_BYTES else keep(bare(line) if line[-1:] == b"\r" or at == 0 else line)
        )
        if isinstance(outcome, str):
            left_out[outcome] += 1
        else:
            admitted = outcome if isinstance(outcome, Refusal) else admit(outcome, now_ms)  # type: ignore[arg-type]
            if isinstance(admitted, Refusal):
                batch.refused.append(Refused(lines.number + batch.lines + 1, admitted))
            else:
                batch.kept.append(outcome)  # type: ignore[arg-type]
                events.extend((at, event) for event in admitted)
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
