"""`relay dead`: look at dead letters, send them again, or remove them. What they are is relay.queue.dead's."""

import asyncio
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from relay.cli.duration import Duration
from relay.cli.letters import brief, whole
from relay.cli.ndjson import Write, lines_to
from relay.cli.operating import DataSet, operate, several
from relay.cli.options import settings_options
from relay.queue import dead as letters
from relay.queue.dead import DeadLetter, Which
from relay.queue.redrive import MAX_PENDING, RATE_PER_S, Pace, Redrive
from relay.rules.judge import DeadReason
from relay.settings import Settings


def filters(command: Callable[..., None]) -> Callable[..., None]:
    """Options that say which letters are meant; they come together."""
    for option in (
        click.option("--newer-than", type=Duration(), help="Died less than this long ago."),
        click.option("--older-than", type=Duration(), help="Died at least this long ago."),
        click.option("--reason", type=click.Choice([str(reason) for reason in DeadReason]), help="Died of this."),
        click.option("--site", help="Events of this site."),
    ):
        command = option(command)
    return command


@click.group()
def dead() -> None:
    """Look at dead letters, export them, send them again, or remove them."""


@dead.command("list", short_help="List them, oldest first, without what tells of a person.")
@filters
@click.option("--limit", type=click.IntRange(min=0), default=100, show_default=True, help="At most so many; 0 for all.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@settings_options("redis_url", "data")
def list_letters(settings: Settings, *, limit: int, as_json: bool, **filtered: Any) -> None:
    """List dead letters, oldest first, without what tells of a person."""
    found = operate(settings, lambda data_set: _find(data_set, _which((), filtered), limit))
    if as_json:
        click.echo(json.dumps([brief(letter) for letter in found], indent=2))
        return
    for letter in found:
        said = brief(letter)
        click.echo(
            f"{letter.name:<24} {said['died']}  {letter.reason:<17} {said['site'] or '?'}  {said['event'] or '?'}"
            f"  after {several(letter.attempts, 'attempt')}: {letter.detail}"
        )
    more = " (there may be more: --limit)" if limit and len(found) == limit else ""
    click.echo(several(len(found), "dead letter") + more)


@dead.command(short_help="Show one whole, as JSON, with its visitor and body.")
@click.argument("name")
@settings_options("redis_url", "data")
def show(settings: Settings, name: str) -> None:
    """Show one dead letter whole, as JSON, with its visitor and body."""
    found = operate(settings, lambda data_set: _find(data_set, Which(names=frozenset({name})), 1))
    if not found:
        raise click.ClickException(f"there is no dead letter {name}: `relay dead list` names them")
    click.echo(json.dumps(whole(found[0]), indent=2, ensure_ascii=False))


@dead.command(short_help="Write them whole, one JSON object a line.")
@filters
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A new file, readable by its owner only.  [default: standard output]",
)
@settings_options("redis_url", "data")
def export(settings: Settings, *, output: Path | None, **filtered: Any) -> None:
    """Write dead letters whole, one JSON object a line: with visitor and body, and with nothing missing.

    They come partition by partition, in each the oldest first, so a visitor's are in their order. They stay where they
    are. A body or User-Agent that is no UTF-8 becomes body_base64, user_agent_base64; of what cannot be read at all,
    stored_base64 has the bytes.
    """
    with lines_to(output) as write:
        count = operate(settings, lambda data_set: _export(data_set, _which((), filtered), write))
    click.echo(f"{several(count, 'dead letter')} written", err=True)


@dead.command(short_help="Send them again, from the end of the queue.")
@click.argument("names", nargs=-1)
@filters
@click.option("--all", "every", is_flag=True, help="Mean every dead letter.")
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    default=RATE_PER_S,
    show_default=True,
    help="Letters a second at most.",
)
@click.option(
    "--max-pending",
    type=click.IntRange(min=1),
    default=MAX_PENDING,
    show_default=True,
    help="Wait while that many events are pending.",
)
@settings_options("redis_url", "data")
def retry(
    settings: Settings, names: tuple[str, ...], *, every: bool, rate: float, max_pending: int, **filtered: Any
) -> None:
    """Send dead letters again: they go to the end of the queue with their attempts forgotten.

    Live events go first: while many wait, no letter is sent. Ctrl-C ends it at any time: each letter is either in the
    queue again or where it was, and the same command goes on with the rest.
    """
    which = _meant(names, filtered, every=every)
    begun: list[Redrive] = []
    try:
        finished = operate(settings, lambda data_set: _redrive(data_set, which, Pace(rate, max_pending), begun))
    except click.ClickException:
        for redrive in begun:  # the answer to its last step may be what is missing
            click.echo(f"at least {several(redrive.moved, 'dead letter')} sent back to the queue")
        raise
    [redrive] = begun
    if not finished:
        click.echo(f"{several(redrive.moved, 'dead letter')} sent back to the queue")
        raise click.ClickException("stopped before the end: the others are dead letters as before")
    _report(redrive.moved, "sent back to the queue", names)


@dead.command(short_help="Remove them for good.")
@click.argument("names", nargs=-1)
@filters
@click.option("--all", "every", is_flag=True, help="Mean every dead letter.")
@settings_options("redis_url", "data")
def purge(settings: Settings, names: tuple[str, ...], *, every: bool, **filtered: Any) -> None:
    """Remove dead letters for good. They stay counted as dead."""
    which = _meant(names, filtered, every=every)
    gone = operate(settings, lambda data_set: letters.purge(data_set.redis, data_set.partitions, which))
    _report(gone, "removed", names)


def _which(names: tuple[str, ...], filtered: dict[str, Any]) -> Which:
    return Which(
        names=frozenset(names),
        site=filtered["site"],
        reason=filtered["reason"],
        older_than_s=filtered["older_than"],
        newer_than_s=filtered["newer_than"],
    )


def _meant(names: tuple[str, ...], filtered: dict[str, Any], *, every: bool) -> Which:
    """Which letters to change: to mean all of them, one has to say so."""
    which = _which(names, filtered)
    if which == Which() and not every:
        raise click.UsageError("say which letters: their names, --site, --reason, --older-than, --newer-than or --all")
    return which


async def _redrive(data_set: DataSet, which: Which, pace: Pace, begun: list[Redrive]) -> bool:
    """Run a retry, which is put into `begun` at once; False if it was told to stop, and did after its step."""
    redrive = Redrive(data_set.redis, data_set.partitions, pace, _told_to_wait(pace))
    begun.append(redrive)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, redrive.stop.set)
    return await redrive.run(which)


def _told_to_wait(pace: Pace) -> Callable[[int], None]:
    def tell(pending: int) -> None:
        waits = f"{several(pending, 'event')} pending: the retry waits until fewer than {pace.max_pending:,} are"
        click.echo(f"{waits} (--max-pending; `relay status` says what they wait for)", err=True)

    return tell


async def _export(data_set: DataSet, which: Which, write: Write) -> int:
    count = 0
    async for letter in letters.find(data_set.redis, data_set.partitions, which):
        write(whole(letter))
        count += 1
    return count


def _report(done: int, what: str, names: tuple[str, ...]) -> None:
    click.echo(f"{several(done, 'dead letter')} {what}")
    if done < len(set(names)):
        raise click.ClickException(f"not found: {len(set(names)) - done} of the named letters")


async def _find(data_set: DataSet, which: Which, limit: int) -> list[DeadLetter]:
    found = []
    async for letter in letters.find(data_set.redis, data_set.partitions, which):
        found.append(letter)
        if len(found) == limit:
            break
    return found
