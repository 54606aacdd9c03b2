"""Runs a replay for the command line: from what was asked to its summary, with signals and failures put into words."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from redis.exceptions import RedisError

from relay.cli.operating import DataSet, operate, several
from relay.cli.progress import Progress
from relay.cli.refusals import Report, report_to
from relay.queue.connection import AWAY, describe, server_promise, settle_form
from relay.queue.marked import OtherReplayError
from relay.queue.server import UnfitServerError
from relay.queue.sources import load
from relay.queue.waiting import UnavailableError
from relay.replay import rehearsal
from relay.replay.admitting import Admission, Terms
from relay.replay.batch import Batch
from relay.replay.follow import Follower
from relay.replay.keeping import Place
from relay.replay.known import PartitionsChangedError
from relay.replay.opening import Opened, Plan, open_with
from relay.replay.pace import BACKLOG_SHARE, Pacer
from relay.replay.rules import Rules
from relay.replay.rules_file import RulesError, read_rules
from relay.replay.run import Replay
from relay.replay.source import UnreadableLogError
from relay.replay.summary import Summary
from relay.rules.admission import EVERY_SITE, Sites, parse_sites
from relay.settings import Settings


class WrongUsage(click.ClickException):
    """What was asked for cannot be done as it was asked: exit code 2."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of the command, by their names."""

    files: tuple[str, ...]
    format_name: str | None
    site: str
    scheme: str
    rules: Path | None
    max_age: float
    as_now: bool
    day_prop: str | None
    rate: float | None
    site_rate: float | None
    max_pending: int
    follow: bool
    resume: bool
    restart: bool
    dry_run: bool
    report: Path | None


@dataclass(slots=True)
class _Telling:
    """What a person sees while it runs, and the report."""

    summary: Summary
    progress: Progress
    report: Report
    now: Opened | None = None

    def batch(self, opened: Opened, batch: Batch) -> None:
        """Some lines were judged."""
        self.now = opened
        self.report.add(opened.log.name, batch)
        self._tell()

    def wait(self, pending: int) -> None:
        """It waits for the queue."""
        self._tell(f", waits: {several(pending, 'event')} pending (--max-pending)")

    def away(self, why: str) -> None:
        """It waits for the server."""
        self.progress.note(f"the queue does not take it, the replay tries again: {why}")

    def _tell(self, waiting: str = "") -> None:
        if self.now is not None:
            log, summary = self.now.log, self.summary
            events = summary.queued or summary.events  # a dry run queues none
            self.progress.tell(log.name, log.read_so_far(), summary.lines, events, waiting)


def run(settings: Settings, asked: Asked) -> tuple[Summary, bool]:
    """Replay the logs, or rehearse it; the summary, and whether they were read to their ends."""
    with _said(), report_to(asked.report) as report:
        rules = _rules(asked)
        if asked.dry_run:
            return asyncio.run(_rehearse(settings, asked, rules, report))
        return operate(settings, lambda data_set: _replay(data_set, settings, asked, rules, report))


def explain(settings: Settings, asked: Asked, line: int) -> dict[str, Any]:
    """What becomes of one line of the one log."""
    if len(asked.files) != 1:
        raise click.UsageError("--explain is for one FILE")
    with _said():
        plan = _plan(asked, settings, _rules(asked), _named(settings))
        return rehearsal.explain(open_with(asked.files[0], plan), line)


@contextmanager
def reading(settings: Settings, asked: Asked) -> Iterator[tuple[Plan, Report]]:
    """How the logs are read, and where refused lines are told, for those who queue nothing."""
    with _said(), report_to(asked.report) as report:
        yield _plan(asked, settings, _rules(asked), _named(settings)), report


@contextmanager
def _said() -> Iterator[None]:
    """Put failures into words."""
    try:
        yield
    except UnreadableLogError as error:
        raise WrongUsage(str(error)) from error
    except RulesError as error:
        raise WrongUsage("\n".join(error.faults)) from error
    except UnfitServerError as error:
        raise WrongUsage(str(error)) from error
    except OtherReplayError as error:
        raise click.ClickException("another replay of this log is under way: let one of them end") from error
    except PartitionsChangedError as error:
        words = "a replay of this log was stopped with another RELAY_PARTITIONS: finish it with that, or --restart"
        raise click.ClickException(words) from error


async def _rehearse(settings: Settings, asked: Asked, rules: Rules, report: Report) -> tuple[Summary, bool]:
    logs = _opened(asked, _plan(asked, settings, rules, _named(settings)))
    summary, stop = Summary(), asyncio.Event()
    telling = _Telling(summary, _progress(logs), report)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    finished = rehearsal.rehearse(logs, summary, stop, telling.batch, telling.progress.note)
    telling.progress.end()
    return summary, finished


async def _replay(
    data_set: DataSet, settings: Settings, asked: Asked, rules: Rules, report: Report
) -> tuple[Summary, bool]:
    await settle_form(data_set.redis, data_set.partitions)
    for shortcoming in (await server_promise(data_set.redis)).shortcomings:
        click.echo(f"Warning: {shortcoming}", err=True)
    plan = _plan(asked, settings, rules, await _sites(data_set, settings))
    logs = _opened(asked, plan)
    most = min(asked.max_pending, max(1, int(settings.max_backlog * BACKLOG_SHARE)))
    pacer = Pacer(data_set.redis, data_set.partitions, most, asked.rate, asked.site_rate, rules.rates)
    replay = Replay(data_set.redis, data_set.partitions, pacer, round(settings.idempotency_keep_s * 1_000))
    telling = _Telling(replay.summary, _progress(logs), report)
    replay.on_batch, pacer.on_wait, replay.on_away = telling.batch, telling.wait, telling.away
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, replay.stop.set)
    try:
        finished = await (_follow(replay, plan, logs) if asked.follow else _each(replay, logs, asked, telling))
    except (*AWAY, RedisError, UnavailableError) as error:
        why = str(error) if isinstance(error, UnavailableError) else describe(error)
        telling.progress.note(f"Error: the queue does not take it: {why} (see `relay check`)")
        finished = False
    telling.progress.end()
    if not finished:
        click.echo("it did not come to its end: run the same command again, and it goes on where it was", err=True)
    return replay.summary, finished


async def _each(replay: Replay, logs: list[Opened], asked: Asked, telling: _Telling) -> bool:
    """Replay log after log; False if not all were read to their ends."""
    whole = True
    for opened in logs:
        telling.now = opened
        marks = await replay.marks_of(opened, restart=asked.restart)
        if marks.is_new and asked.resume:
            raise WrongUsage(f"{opened.log.name} was not replayed before: leave --resume out")
        if marks.lowest:
            telling.progress.note(
                f"{opened.log.name}: goes on at byte {marks.lowest:,}, line {opened.log.number + 1:,}"
            )
        try:
            if not await replay.run(opened, marks):
                return False
        except UnreadableLogError as error:
            telling.progress.note(str(error))
            whole = False
        telling.progress.done += opened.log.size or 0
        opened.log.close()
    return whole


async def _follow(replay: Replay, plan: Plan, logs: list[Opened]) -> bool:
    """All of them side by side, until it is stopped; the first that fails ends the others."""
    for opened in logs:
        opened.log.close()  # the followers open them
    try:
        async with asyncio.TaskGroup() as group:
            for opened in logs:
                group.create_task(Follower(replay, plan, opened.log.name).run())
    except ExceptionGroup as group_error:
        raise group_error.exceptions[0] from group_error
    return True


def _opened(asked: Asked, plan: Plan) -> list[Opened]:
    """All of them, so that a name that was mistyped is told before anything is queued."""
    return [open_with(name, plan) for name in asked.files]


def _progress(logs: list[Opened]) -> Progress:
    sizes = [opened.log.size for opened in logs]
    return Progress(None if None in sizes else sum(size or 0 for size in sizes))


def _rules(asked: Asked) -> Rules:
    return Rules() if asked.rules is None else read_rules(asked.rules)


def _plan(asked: Asked, settings: Settings, rules: Rules, sites: Sites) -> Plan:
    terms = Terms(sites, settings.validation, int(asked.max_age * 1_000), asked.as_now, asked.day_prop)
    return Plan(rules, Place(asked.site, asked.scheme), Admission(terms), asked.format_name or "")


def _named(settings: Settings) -> Sites:
    """RELAY_SITES; without that every site, as whoever replays a log names it."""
    return parse_sites(settings.sites or (EVERY_SITE,))


async def _sites(data_set: DataSet, settings: Settings) -> Sites:
    """Those of the sources, if there are any, as at the door."""
    found = await load(data_set.redis)
    if not found.kept:
        return _named(settings)
    kept = [kept.source.sites for kept in found.kept]
    names = frozenset[str]().union(*(sites.names for sites in kept))
    return Sites(names, any(sites.every for sites in kept))
