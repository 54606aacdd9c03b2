"""`relay replay --to-csv`: the logs' events as files for Plausible's CSV import. No queue is asked, nothing is sent."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import click
from click.core import ParameterSource

from relay.cli.operating import several
from relay.cli.progress import Progress
from relay.cli.refusals import Report
from relay.cli.replaying import Asked, WrongUsage, reading
from relay.imports.agents import Missing
from relay.imports.folder import Refused, opened
from relay.imports.merging import Stream, merged
from relay.imports.run import Import, Site
from relay.imports.run import Summary as Imported
from relay.replay.batch import judge
from relay.replay.opening import Opened, Plan, open_with
from relay.replay.page import Kept
from relay.replay.source import STDIN
from relay.replay.summary import Summary
from relay.settings import Settings

QUEUE_ONLY: Final = ("max_age", "as_now", "day_prop", "rate", "site_rate", "max_pending", "resume", "restart")
"""The options of `relay replay` that mean nothing to an import, and those that queue nothing either."""
INSTEAD: Final = ("dry_run", "line", "follow")
_FOLDER: Final = click.Path(path_type=Path)


class TimeZone(click.ParamType[ZoneInfo]):
    """A time zone by its name."""

    name = "zone"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> ZoneInfo:
        """The zone; a name that is none ends the command."""
        try:
            return value if isinstance(value, ZoneInfo) else ZoneInfo(value)
        except (LookupError, ValueError, OSError):
            self.fail(f"{value!r} is no time zone; name one such as Europe/Berlin", param, ctx)


@dataclass(frozen=True, slots=True)
class Target:
    """Where the import goes. The days are those of `zone`, the time zone of the site."""

    folder: Path
    zone: ZoneInfo
    overwrite: bool


def or_import(function: Callable[..., None]) -> Callable[..., None]:
    """Give `relay replay` the options of an import; with --to-csv it is that, and `function` is not called."""

    @click.option("--to-csv", type=_FOLDER, metavar="DIR", help="Write Plausible's CSV import there; queue nothing.")
    @click.option("--time-zone", type=TimeZone(), default="UTC", show_default=True, help="Of the import's days.")
    @click.option("--overwrite", is_flag=True, help="Replace the import that DIR holds.")
    @wraps(function)
    def replay_or_import(*, to_csv: Path | None, time_zone: ZoneInfo, overwrite: bool, **given: Any) -> None:
        given_here = _given("time_zone", "overwrite")
        if to_csv is None:
            if given_here:
                raise click.UsageError(f"{', '.join(given_here)}: that is for --to-csv")
            function(**given)
            return
        if others := _given(*QUEUE_ONLY, *INSTEAD):
            raise click.UsageError(f"{', '.join(others)}: not together with --to-csv, which queues nothing")
        asked = Asked(**{one.name: given[one.name] for one in fields(Asked)})
        read, imported = run(given["settings"], asked, Target(to_csv, time_zone, overwrite))
        told = read.told() | {"import": imported.as_json(), "files": [str(file) for file in imported.files]}
        del told["queued"], told["duplicates"]
        click.echo(json.dumps(told) if given["as_json"] else "\n".join(_lines(read, imported, to_csv)))
        click.get_current_context().exit(0 if imported.files and not read.refused and not imported.wrong else 1)

    return replay_or_import


def run(settings: Settings, asked: Asked, target: Target) -> tuple[Summary, Imported]:
    """Read the logs and write the import: what became of the lines, and of the events."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing half is left behind
    # Lines of any age, but none without a time or from the future.
    terms = replace(asked, max_age=time.time(), as_now=False, day_prop=None)
    with reading(settings, terms) as (plan, report):
        try:
            with opened(target.folder, overwrite=target.overwrite) as draft:
                one = Import(draft, target.zone)
                logs = _Logs(plan, report, asked.files)
                for kept in merged(logs.streams()):
                    one.take(kept)
                logs.progress.end()
                return logs.summary, one.finish()
        except (Refused, Missing) as error:
            raise WrongUsage(str(error)) from error
        except OSError as error:
            raise click.ClickException(f"{target.folder} cannot be written: {error.strerror}") from error
        finally:
            signal.signal(signal.SIGTERM, before)


class _Logs:
    """The logs of an import, opened when their time comes."""

    def __init__(self, plan: Plan, report: Report, names: tuple[str, ...]) -> None:
        self.summary = Summary()
        self.progress = Progress(None)
        self._plan = plan
        self._report = report
        self._names = names

    def streams(self) -> list[Stream]:
        """All of them, so that a name that was mistyped is told before anything is read."""
        logs = [open_with(name, self._plan) for name in self._names]
        sizes = [log.log.size for log in logs]
        self.progress.total = None if None in sizes else sum(size or 0 for size in sizes)
        return [self._stream(name, log) for name, log in zip(self._names, logs, strict=True)]

    def _stream(self, name: str, log: Opened) -> Stream:
        if name == STDIN:
            return Stream(0, lambda: self._events(log))
        times_ms = (kept.at_ms for line in log.log.head.splitlines() if isinstance(kept := log.keeper.keep(line), Kept))
        begins_ms = next(times_ms, 0)
        log.log.close()
        return Stream(begins_ms, lambda: self._events(open_with(name, self._plan)))

    def _events(self, log: Opened) -> Iterator[Kept]:
        """The events of a log, one for each site. Raises UnreadableLogError."""
        sites = self._plan.admission.terms.sites
        while (lines := log.log.take()) is not None:
            batch = judge(lines, log.keeper, log.admission, time.time_ns() // 1_000_000)
            self.summary.add(batch)
            self._report.add(log.log.name, batch)
            self.progress.tell(log.log.name, log.log.read_so_far(), self.summary.lines, self.summary.events)
            for kept in batch.kept:
                if "," not in kept.site:
                    yield kept
                    continue
                yield from (replace(kept, site=site) for site in kept.site.split(",") if site in sites)
        self.progress.done += log.log.size or 0
        log.log.close()


def _given(*names: str) -> list[str]:
    """Which of these options stand on the command line, as they are written there."""
    context = click.get_current_context()
    return [
        max(param.opts, key=len)
        for param in context.command.params
        if param.name in names and context.get_parameter_source(param.name) is ParameterSource.COMMANDLINE
    ]


def _lines(read: Summary, imported: Imported, folder: Path) -> Iterator[str]:
    yield f"{several(read.lines, 'line')}, {several(read.events, 'event')}"
    for reason, count in [*sorted(read.left_out.items()), *sorted(read.refused.items())]:
        yield f"  {count:>12,} {'refused' if reason in read.refused else 'left out'}: {reason.replace('_', ' ')}"
    yield from (f"  {text}" for text in imported.untold())
    if not imported.files:
        yield "nothing to import: no event became a visit"
        return
    yield from (_site(name, site) for name, site in sorted(imported.sites.items()))
    yield f"not in it: {imported.cannot}"
    yield f"{len(imported.files)} files in {folder}: select a site's ten in its settings, Imports & Exports, CSV"


def _site(name: str, site: Site) -> str:
    counts = (several(site.visits, "visit"), several(site.pageviews, "pageview"), several(site.events, "custom event"))
    return f"{name}: {site.first_day} to {site.last_day}, {', '.join(counts)}"
