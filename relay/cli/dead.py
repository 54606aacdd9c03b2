"""`relay dead`: look at dead letters, send them again, or remove them. What they are is relay.queue.dead's."""

import json
import re
from collections.abc import Callable
from typing import Any

import click
import orjson

from relay.cli.operating import DataSet, operate, several, when
from relay.cli.options import settings_options
from relay.queue import dead as letters
from relay.queue.dead import DeadLetter, Which
from relay.rules.judge import DeadReason
from relay.settings import Settings

UNITS_S = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


class Duration(click.ParamType[float]):
    """A duration like 90s, 15m, 2h or 3d; its value is in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it, or end with exit code 2."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", str(value))
        if found is None:
            self.fail(f"{value!r} is no duration: write 90s, 15m, 2h or 3d", param, ctx)
        return float(found[1]) * UNITS_S[found[2]]


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
    """Look at dead letters, send them again, or remove them."""


@dead.command("list", short_help="List them, oldest first, without what tells of a person.")
@filters
@click.option("--limit", type=click.IntRange(min=0), default=100, show_default=True, help="At most so many; 0 for all.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@settings_options("redis_url", "data")
def list_letters(settings: Settings, *, limit: int, as_json: bool, **filtered: Any) -> None:
    """List dead letters, oldest first, without what tells of a person."""
    found = operate(settings, lambda data_set: _find(data_set, _which((), filtered), limit))
    if as_json:
        click.echo(json.dumps([_brief(letter) for letter in found], indent=2))
        return
    for letter in found:
        said = _brief(letter)
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
    click.echo(json.dumps(_whole(found[0]), indent=2, ensure_ascii=False))


@dead.command(short_help="Send them again, from the end of the queue.")
@click.argument("names", nargs=-1)
@filters
@click.option("--all", "every", is_flag=True, help="Mean every dead letter.")
@settings_options("redis_url", "data")
def retry(settings: Settings, names: tuple[str, ...], *, every: bool, **filtered: Any) -> None:
    """Send dead letters again: they go to the end of the queue with their attempts forgotten."""
    which = _meant(names, filtered, every=every)
    moved = operate(settings, lambda data_set: letters.retry(data_set.redis, data_set.partitions, which))
    _report(moved, "sent back to the queue", names)


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


def _brief(letter: DeadLetter) -> dict[str, Any]:
    """What may be shown without care: nothing of a person."""
    fields = _fields(letter)
    return {
        "name": letter.name,
        "died": when(letter.died_ms),
        "reason": letter.reason,
        "detail": letter.detail,
        "attempts": letter.attempts,
        "site": None if letter.event is None else letter.event.site,
        "event": fields.get("n") or fields.get("name"),
    }


def _whole(letter: DeadLetter) -> dict[str, Any]:
    told = _brief(letter) | {"first_failed": letter.first_failed_ms and when(letter.first_failed_ms)}
    event = letter.event
    if event is None:
        return told
    agent = None if event.user_agent is None else event.user_agent.decode("latin-1")
    body = event.body.decode("utf-8", "replace")
    return told | {"accepted": when(event.accepted_ms), "ip": event.ip, "user_agent": agent, "body": body}


def _fields(letter: DeadLetter) -> dict[str, Any]:
    try:
        return dict(orjson.loads(letter.event.body)) if letter.event else {}
    except (ValueError, TypeError):
        return {}
