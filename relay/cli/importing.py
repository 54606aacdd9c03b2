"""`relay replay --to-csv`: the logs' events as files for Plausible's CSV import. No queue is asked, nothing is sent."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from relay.cli.replaying import Asked, WrongUsage, plan_of
from relay.imports.agents import Missing
from relay.imports.folder import Refused, opened
from relay.imports.merging import Stream, merged
from relay.imports.run import Import, Summary
from relay.replay.batch import MAX_LINE_BYTES, Lines
from relay.replay.formats.parsing import NO_TIME
from relay.replay.opening import Opened, Plan, open_with
from relay.replay.outcomes import LeftOut, Reason, Refusal
from relay.replay.page import Kept
from relay.replay.source import STDIN, UnreadableLogError
from relay.rules.admission import EVERY_SITE, parse_sites
from relay.settings import Settings

QUEUE_ONLY = ("max_age", "as_now", "day_prop", "rate", "site_rate", "max_pending", "resume", "restart")
"""The options of `relay replay` that mean nothing to an import."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the import goes. The days are those of `zone`, the time zone of the site."""

    folder: Path
    zone: ZoneInfo
    overwrite: bool


class TimeZone(click.ParamType[ZoneInfo]):
    """A time zone by its name."""

    name = "zone"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> ZoneInfo:
        """The zone; a name that is none ends the command."""
        try:
            return value if isinstance(value, ZoneInfo) else ZoneInfo(value)
        except (LookupError, ValueError, OSError):
            self.fail(f"{value!r} is no time zone; name one such as Europe/Berlin", param, ctx)


@dataclass(slots=True)
class Read:
    """What became of the logs' lines, before anything was counted."""

    lines: int = 0
    events: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def events_of(self, log: Opened) -> Iterator[Kept]:
        """The events of a log, one for each site. Raises UnreadableLogError."""
        while (lines := log.log.take()) is not None:
            for number, line in enumerate(lines.lines, 1):
                self.lines += 1
                kept = _TOO_LONG if len(line) > MAX_LINE_BYTES else log.keeper.keep(line)
                if isinstance(kept, Kept):
                    yield from self._admitted(log, kept)
                elif isinstance(kept, str):
                    self.left_out[kept] += 1
                elif kept.reason is Reason.MALFORMED and _is_cut(lines, number):
                    self.left_out[LeftOut.UNFINISHED] += 1
                else:
                    self.refused[kept.reason] += 1
        log.log.close()

    def _admitted(self, log: Opened, kept: Kept) -> Iterator[Kept]:
        """As at the door: what Plausible would answer 400 to it never counted."""
        admitted = log.admission.admit(kept, 0) if kept.at_ms != NO_TIME else _NO_TIME
        if isinstance(admitted, Refusal):
            self.refused[admitted.reason] += 1
            return
        self.events += len(admitted)
        for one in admitted:
            yield kept if one.site == kept.site else replace(kept, site=one.site)


def run(settings: Settings, asked: Asked, target: Target) -> tuple[Read, Summary]:
    """Read the logs and write the import: what became of the lines, and of the events."""
    plan = plan_of(replace(asked, as_now=True, day_prop=None), settings, parse_sites(settings.sites or (EVERY_SITE,)))
    read = Read()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing half is left behind
    try:
        with opened(target.folder, overwrite=target.overwrite) as draft:
            one = Import(draft, time.time(), target.zone)
            for kept in merged([_stream(name, plan, read) for name in asked.files]):
                one.take(kept)
            return read, one.finish()
    except (UnreadableLogError, Refused, Missing) as error:
        raise WrongUsage(str(error)) from error


def told(read: Read, summary: Summary) -> dict[str, Any]:
    """The summary as `--json` prints it."""
    counts = {
        "lines": read.lines,
        "events": read.events,
        "left_out": dict(sorted(read.left_out.items())),
        "refused": read.refused.total(),
        "refused_because": dict(sorted(read.refused.items())),
    }
    return counts | {"import": summary.as_json(), "files": [str(file) for file in summary.files]}


def lines_of(target: Target, summary: Summary) -> list[str]:
    """The import's part of the summary, for people."""
    if not summary.files:
        return summary.lines()
    where = (
        f"{len(summary.files)} files in {target.folder}: in Plausible's site settings, Imports & Exports, choose CSV"
    )
    return [*summary.lines(), f"{where} and select one site's ten files at once"]


def _stream(name: str, plan: Plan, read: Read) -> Stream:
    log = open_with(name, plan)
    begins_ms = next((kept.at_ms for line in log.log.head.splitlines() if (kept := _peeked(log, line))), 0)
    if name == STDIN:
        return Stream(begins_ms, lambda: read.events_of(log))
    log.log.close()
    return Stream(begins_ms, lambda: read.events_of(open_with(name, plan)))


def _peeked(log: Opened, line: bytes) -> Kept | None:
    kept = log.keeper.keep(line)
    return kept if isinstance(kept, Kept) and kept.at_ms != NO_TIME else None


def _is_cut(lines: Lines, number: int) -> bool:
    return lines.open_end and number == len(lines.lines)


_TOO_LONG = Refusal(Reason.TOO_LONG, f"a line may have {MAX_LINE_BYTES:,} bytes")
_NO_TIME = Refusal(Reason.NO_TIME, "its time is missing or cannot be read")
