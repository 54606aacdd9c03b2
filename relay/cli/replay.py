"""`relay replay`: logs into the queue. What it does is relay.replay's; here it is asked for and told."""

import json
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

import click
from click.core import ParameterSource

from relay.cli import importing
from relay.cli.duration import Duration
from relay.cli.options import settings_options
from relay.cli.replaying import Asked, run
from relay.replay.formats import FORMATS
from relay.replay.pace import MAX_PENDING
from relay.settings import Settings

_RATE = click.FloatRange(min=0, min_open=True)


@click.command(short_help="Queue the events of log files.")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option("--format", "format_name", type=click.Choice([*FORMATS]), help="The logs' format.  [default: found]")
@click.option("--site", default="", help="The events' site.  [default: the host in the log]")
@click.option("--scheme", type=click.Choice(["https", "http"]), default="https", show_default=True, help="Of its URLs.")
@click.option("--max-age", type=Duration(), default=3_600.0, show_default="1h", help="Refuse lines older than this.")
@click.option("--as-now", is_flag=True, help="Take lines of any age; Plausible books them when they arrive.")
@click.option("--day-prop", metavar="NAME", help="Say the day (UTC) of an event in this prop.")
@click.option("--rate", type=_RATE, help="Events a second at most.")
@click.option("--site-rate", type=_RATE, help="Events a second of one site at most.")
@click.option(
    "--max-pending",
    type=click.IntRange(min=1),
    default=MAX_PENDING,
    show_default=True,
    help="Wait while that many events are pending, so that live ones go first.",
)
@click.option("--resume", is_flag=True, help="Go on with logs whose replay has begun, and only with such.")
@click.option("--restart", is_flag=True, help="Forget that the logs were replayed, and queue them again.")
@click.option(
    "--to-csv", type=click.Path(path_type=Path), metavar="DIR", help="Write a CSV import there; queue nothing."
)
@click.option("--time-zone", type=importing.TimeZone(), default="UTC", show_default=True, help="Of the import's days.")
@click.option("--overwrite", is_flag=True, help="Replace the import that DIR holds.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@settings_options("redis_url", "data", "sites", "validation", "max_backlog")
def replay(
    settings: Settings, *, to_csv: Path | None, time_zone: ZoneInfo, overwrite: bool, as_json: bool, **asked: Any
) -> None:
    """Turn the lines of logs into events and queue them, each line exactly once.

    FILE may be compressed (gzip, bzip2, xz, zstd); - is standard input. Run it again after a stop, a crash or when the
    log has grown, and it goes on where it was. With --to-csv it writes files for Plausible's CSV import instead, from
    logs of any age. Exit codes: 0 fine, 1 a line was refused or the replay stopped before its end, 2 wrong usage.
    """
    if asked["resume"] and asked["restart"]:
        raise click.UsageError("--resume and --restart exclude each other")
    if to_csv is not None:
        _import(settings, Asked(**asked), importing.Target(to_csv, time_zone, overwrite), as_json=as_json)
    if overwrite:
        raise click.UsageError("--overwrite means nothing without --to-csv")
    summary, finished = run(settings, Asked(**asked))
    told = summary.told()
    click.echo(json.dumps(told) if as_json else "\n".join(_lines(told)))
    click.get_current_context().exit(0 if finished and not told["refused"] else 1)


def _import(settings: Settings, asked: Asked, target: importing.Target, *, as_json: bool) -> NoReturn:
    context = click.get_current_context()
    given = [name for name in importing.QUEUE_ONLY if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if given:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise click.UsageError(f"{names} is for the queue: it means nothing with --to-csv")
    read, summary = importing.run(settings, asked, target)
    told = importing.told(read, summary)
    if as_json:
        click.echo(json.dumps(told))
    else:
        click.echo("\n".join([*_lines(told), *importing.lines_of(target, summary)]))
    context.exit(0 if summary.files and not told["refused"] and not summary.wrong else 1)


def _lines(told: dict[str, Any]) -> list[str]:
    names = ("lines", "events", "queued", "duplicates")
    lines = [f"{name:<12}{told[name]:>12,}" for name in names if name in told]
    lines += [f"{'left out':<12}{sum(told['left_out'].values()):>12,}"]
    lines += [f"  {reason:<20}{count:>12,}" for reason, count in told["left_out"].items()]
    lines += [f"{'refused':<12}{told['refused']:>12,}"]
    return lines + [f"  {reason:<20}{count:>12,}" for reason, count in told["refused_because"].items()]
