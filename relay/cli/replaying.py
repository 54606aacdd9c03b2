"""Runs a replay for the command line: from what was asked to its summary, with signals and failures put into words."""

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import dataclass

import click

from relay.cli.operating import DataSet, operate
from relay.queue import keys
from relay.queue.marked import OtherReplayError
from relay.queue.sources import load
from relay.replay.admitting import Admission, Terms
from relay.replay.keeping import Place
from relay.replay.known import PartitionsChangedError
from relay.replay.opening import Opened, Plan, open_with
from relay.replay.pace import BACKLOG_SHARE, Pacer
from relay.replay.rules import Rules
from relay.replay.run import Replay
from relay.replay.source import UnreadableLogError
from relay.replay.summary import Summary
from relay.rules.admission import EVERY_SITE, Sites, parse_sites
from relay.settings import Settings


class WrongUsage(click.ClickException):
    """What was asked for cannot be done as it was asked: exit code 2, and nothing was queued."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of the command, by their names."""

    files: tuple[str, ...]
    format_name: str | None
    site: str
    scheme: str
    max_age: float
    as_now: bool
    day_prop: str | None
    rate: float | None
    site_rate: float | None
    max_pending: int
    resume: bool
    restart: bool


def run(settings: Settings, asked: Asked) -> tuple[Summary, bool]:
    """Replay the logs; the summary, and whether they were read to their ends."""
    try:
        return operate(settings, lambda data_set: _replay(data_set, settings, asked))
    except (UnreadableLogError, LookupError) as error:
        raise WrongUsage(str(error)) from error
    except OtherReplayError as error:
        raise click.ClickException("another replay of this log is under way: let one of them end") from error
    except PartitionsChangedError as error:
        words = "a replay of this log was stopped with another RELAY_PARTITIONS: finish it with that, or --restart"
        raise click.ClickException(words) from error


async def _replay(data_set: DataSet, settings: Settings, asked: Asked) -> tuple[Summary, bool]:
    plan = plan_of(asked, settings, await _sites(data_set, settings))

    async def look() -> int:
        pipe = data_set.redis.pipeline(transaction=False)
        for partition in range(data_set.partitions):
            pipe.xlen(keys.events(partition))
        return sum(await pipe.execute())

    most = min(asked.max_pending, max(1, int(settings.max_backlog * BACKLOG_SHARE)))
    pacer = Pacer(look, most, asked.rate, asked.site_rate, plan.rules.rates)
    pacer.pending = await look()
    replay = Replay(data_set.redis, data_set.partitions, pacer)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, replay.stop.set)
    finished = await _each(replay, [open_with(name, plan) for name in asked.files], asked)
    return replay.summary, finished


async def _each(replay: Replay, logs: Sequence[Opened], asked: Asked) -> bool:
    for opened in logs:
        try:
            marks = await replay.marks_of(opened, must_exist=asked.resume, restart=asked.restart)
        except LookupError as error:
            raise LookupError(f"{opened.log.name} was not replayed before: leave --resume out") from error
        if not await replay.run(opened, marks):
            return False
        opened.log.close()
    return True


def plan_of(asked: Asked, settings: Settings, sites: Sites) -> Plan:
    """How the logs are read."""
    terms = Terms(sites, settings.validation, int(asked.max_age * 1_000), asked.as_now, asked.day_prop)
    return Plan(Rules(), Place(asked.site, asked.scheme), Admission(terms), asked.format_name or "")


async def _sites(data_set: DataSet, settings: Settings) -> Sites:
    """Those of the sources, if there are any, as at the door; else RELAY_SITES; without that every site."""
    found = await load(data_set.redis)
    if found.kept:
        kept = [kept.source.sites for kept in found.kept]
        names = frozenset[str]().union(*(sites.names for sites in kept))
        return Sites(names, any(sites.every for sites in kept))
    return parse_sites(settings.sites or (EVERY_SITE,))
