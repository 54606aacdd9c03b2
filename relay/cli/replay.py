"""`relay replay`: logs into the queue. What it does is relay.replay's; here it is asked for and told."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from relay.cli.duration import Duration
from relay.cli.importing import or_import
from relay.cli.options import settings_options
from relay.cli.replaying import Asked, explain, run
from relay.replay.formats import FORMATS
from relay.replay.pace import MAX_PENDING
from relay.replay.summary import Summary
from relay.settings import Settings

_RATE = click.FloatRange(min=0, min_open=True)
_FILE = click.Path(dir_okay=False, path_type=Path)
SHOWN_PAGES = 20


@click.command(short_help="Queue the events of log files.")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option("--format", "format_name", type=click.Choice([*FORMATS]), help="The logs' format.  [default: found]")
@click.option("--site", default="", help="The events' site.  [default: the host in the log]")
@click.option("--scheme", type=click.Choice(["https", "http"]), default="https", show_default=True, help="Of its URLs.")
@click.option("--rules", type=_FILE, help="TOML file that says which lines become which events.")
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
@click.option(
    "--follow", is_flag=True, help="Go on with what is written to the logs, through rotations, until stopped."
)
@click.option("--resume", is_flag=True, help="Go on with logs whose replay has begun, and only with such.")
@click.option("--restart", is_flag=True, help="Forget that the logs were replayed, and queue them again.")
@click.option("--dry-run", is_flag=True, help="Queue nothing; say what would be: sites, pages, what is left out.")
@click.option("--explain", "line", type=click.IntRange(min=1), metavar="LINE", help="Say what becomes of this line.")
@click.option("--report", type=_FILE, help="Add a JSON line to this file for each line that is refused.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@settings_options("redis_url", "data", "sites", "validation", "max_backlog", "idempotency_keep_s")
@or_import
def replay(settings: Settings, *, as_json: bool, line: int | None, **options: Any) -> None:
    """Turn the lines of logs into events and queue them, each line exactly once.

    FILE may be compressed (gzip, bzip2, xz, zstd); - is standard input. Run it again after a stop, a crash or when the
    log has grown, and it goes on where it was. With --to-csv it writes files for Plausible's CSV import instead, from
    logs of any age. Exit codes: 0 fine, 1 a line was refused or the replay stopped before its end, 2 wrong usage.
    """
    asked = Asked(**options)
    if asked.resume and asked.restart:
        raise click.UsageError("--resume and --restart exclude each other")
    if asked.follow and "-" in asked.files:
        raise click.UsageError("--follow is for files: standard input is read as it comes anyway")
    if asked.follow and (asked.resume or asked.restart or asked.dry_run):
        raise click.UsageError("--follow goes on by itself: leave --resume, --restart and --dry-run out")
    if line is not None:
        told = explain(settings, asked, line)
        click.echo(json.dumps(told, indent=2, ensure_ascii=False) if as_json else "\n".join(_pairs(told)))
        return
    summary, finished = run(settings, asked)
    if as_json:
        more = {"sites": dict(summary.sites), "pages": dict(summary.pages)} if asked.dry_run else {}
        click.echo(json.dumps(summary.told() | more))
    else:
        click.echo("\n".join([*_lines(summary.told()), *_pages(summary)]))
    click.get_current_context().exit(0 if finished and not summary.refused else 1)


def _pairs(told: dict[str, Any]) -> Iterator[str]:
    for name, value in told.items():
        yield f"{name.replace('_', ' '):<12} {value}"


def _lines(told: dict[str, Any]) -> Iterator[str]:
    for name in ("lines", "events", "queued", "duplicates"):
        yield f"{name:<24}{told[name]:>12,}"
    yield f"{'left out':<24}{sum(told['left_out'].values()):>12,}"
    for reason, count in told["left_out"].items():
        yield f"  {reason:<22}{count:>12,}"
    yield f"{'refused':<24}{told['refused']:>12,}"
    for reason, count in told["refused_because"].items():
        yield f"  {reason:<22}{count:>12,}"


def _pages(summary: Summary) -> Iterator[str]:
    """What a dry run tells beside."""
    for title, counts in (("site", summary.sites), ("page or event", summary.pages)):
        if not counts:
            continue
        yield f"\n{'events':>10}  {title}"
        for name, count in counts.most_common(SHOWN_PAGES):
            yield f"{count:>10,}  {name}"
        if len(counts) > SHOWN_PAGES:
            yield f"{'':>10}  and {len(counts) - SHOWN_PAGES:,} more (--json has them)"
