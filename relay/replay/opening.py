"""A log with its format: opened, looked at, and ready to be judged line by line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from relay.replay.admitting import Admission
from relay.replay.batch import BOM, bare
from relay.replay.formats import FORMATS, detect
from relay.replay.formats.parsing import Format, Heading, Parse
from relay.replay.keeping import Keeper, Place
from relay.replay.rules import Rules
from relay.replay.source import Log, UnreadableLogError, open_log

LINES_LOOKED_AT: Final = 30


@dataclass(frozen=True, slots=True)
class Plan:
    """How logs are read: `format_name` "" finds each log's own."""

    rules: Rules
    place: Place
    admission: Admission
    format_name: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """A log, how its lines are read, and who admits their events."""

    log: Log
    format: Format | None
    parse: Parse
    keeper: Keeper
    admission: Admission

    def go_to(self, offset: int) -> None:
        """Go on there. A header before it is read on the way. Raises UnreadableLogError."""
        if offset <= self.log.offset:
            return
        heading = self.format.heading if self.format else Heading.NONE
        if heading is Heading.FIRST:
            self.parse(bare(self.log.first.partition(b"\n")[0]))
        for line in self.log.skip(offset, b"#" if heading is Heading.HASH else None):
            self.parse(line)


def open_with(name: str, plan: Plan) -> Opened:
    """Open a log and find its format. Raises UnreadableLogError; an empty log has no format and no lines."""
    log = open_log(name)
    format_ = FORMATS[plan.format_name] if plan.format_name else detect(_first_lines(log.first))
    if format_ is None and log.first.strip():
        log.close()
        names = ", ".join(FORMATS)
        raise UnreadableLogError(f"{log.name} has none of the known formats ({names}): name it with --format")
    parse = (format_ or next(iter(FORMATS.values()))).parser()
    return Opened(log, format_, parse, Keeper(parse, plan.rules, plan.place), plan.admission)


def _first_lines(first: bytes) -> list[bytes]:
    """The whole lines among the first bytes; an only one also without its end."""
    lines = first.removeprefix(BOM).replace(b"\r\n", b"\n").split(b"\n")
    if len(lines) > 1:
        lines.pop()
    return [line for line in lines if line.strip()][:LINES_LOOKED_AT]
