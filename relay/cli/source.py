"""`relay source`: who may post. What a source is stands in relay.rules.source, how it is kept in relay.queue.sources.

A key is shown by `add` and `rotate`, once, on standard output, and is nowhere else in clear.
"""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click
from redis.asyncio import Redis

from relay.cli.duration import Duration
from relay.cli.operating import operate, several, when
from relay.cli.options import settings_options
from relay.queue import sources
from relay.queue.sources import Found, Kept, SourceError
from relay.rules.admission import EVERY_SITE, Sites, parse_sites
from relay.rules.source import Kind, Rate, Source, rate_of
from relay.settings import Settings
from relay.settings.values import MOST_A_SECOND, read_sites

T = TypeVar("T")

OPEN = "there is no source: whoever reaches the relay may post for RELAY_SITES"
MOST_AT_ONCE = 1_000_000


class Name(click.ParamType[str]):
    """A source's name: it stands in logs and in the names of keys, so it is short and plain."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read it, or end with exit code 2."""
        if re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,62}", str(value)) is None:
            self.fail(
                f"{value!r} is no name: write at most 63 of a to z, 0 to 9, dot, hyphen and underline, "
                "and a letter or digit first",
                param,
                ctx,
            )
        return str(value)


class SiteList(click.ParamType[tuple[str, ...]]):
    """Sites as RELAY_SITES takes them: one, a comma list, or *."""

    name = "site"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Read them, or end with exit code 2."""
        try:
            return read_sites(value)
        except ValueError as error:
            self.fail(f"{error}; right would be a domain as Plausible lists it, or * for every site", param, ctx)


def of_what_it_may(*, new: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Options that say what a source may; of a new one, kind and sites have to be said."""
    most = click.FloatRange(min=0, min_open=True, max=MOST_A_SECOND)
    at_once = click.IntRange(1, MOST_AT_ONCE)
    options = [
        click.option("--kind", type=click.Choice([str(kind) for kind in Kind]), required=new, help="What posts."),
        click.option("--site", "sites", type=SiteList(), multiple=True, required=new,
                     help="A site that it may post for, or *; can be given again."),
        click.option("--speaks/--no-speaks", default=None,
                     help="May it say for which visitor an event is?  [default: a backend may, others may not]"),
        click.option("--rate", type=most, help="Events a second that it may send.  [default: no limit]"),
        click.option("--burst", type=at_once, help="Events at once after a pause.  [default: 10 s of --rate]"),
        click.option("--address-rate", type=most, help="Events a second for each visitor's address."),
        click.option("--address-burst", type=at_once, help="Events at once for each."),
    ]  # fmt: skip

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def source() -> None:
    """Say who may post: sources, each with a key and the sites it may post for.

    Doors follow within two seconds. Without any source whoever reaches the relay may post for RELAY_SITES.
    """


@source.command(short_help="Add one, and show its key.")
@click.argument("name", type=Name())
@of_what_it_may(new=True)
@as_json_option
@settings_options("redis_url", "data")
def add(settings: Settings, *, name: str, as_json: bool, **given: Any) -> None:
    """Add a source, and show its key, once."""
    fields = _fields(given, Source(name, Kind(given["kind"]), Sites(frozenset(), every=False)))
    fields.setdefault("speaks", given["kind"] == Kind.BACKEND)
    made = Source(name, **fields)

    async def keep(redis: Redis) -> tuple[str, bool]:
        first = (await sources.load(redis)).is_open
        return await sources.add(redis, made), first

    key, first = _do(settings, keep)
    if first:
        click.echo("This is the first source: from now on the relay takes events from its sources only.", err=True)
    _show_key(name, key, as_json=as_json, told=_told(made))


@source.command("list", short_help="List them, without their keys.")
@as_json_option
@settings_options("redis_url", "data")
def list_sources(settings: Settings, *, as_json: bool) -> None:
    """List all sources. Keys are not known any more, so none is shown."""
    found = _do(settings, sources.load)
    if as_json:
        click.echo(json.dumps([_shown(kept) for kept in found.kept], indent=2))
    else:
        click.echo(_listed(found))
    for name in found.damaged:
        click.echo(f"! {name}: what is kept of it cannot be read by this version; nobody can post as it", err=True)


@source.command(short_help="Change what one may. Its key stays.")
@click.argument("name", type=Name())
@of_what_it_may(new=False)
@click.option("--no-limits", is_flag=True, help="Take all its limits away.")
@settings_options("redis_url", "data")
def change(settings: Settings, *, name: str, no_limits: bool, **given: Any) -> None:
    """Change what a source may: what is given replaces what was. Its key stays."""
    if not no_limits and all(value in (None, ()) for value in given.values()):
        raise click.UsageError("say what to change: --kind, --site, --speaks, --rate, --address-rate or --no-limits")

    async def go(redis: Redis) -> Source:
        known = next((kept.source for kept in (await sources.load(redis)).kept if kept.source.name == name), None)
        none = {"rate": None, "address_rate": None} if no_limits else {}
        return await sources.change(redis, name, **none, **_fields(given, known))

    click.echo(f"source {name}: {_told(_do(settings, go))}")


@source.command(short_help="Give one a new key, and show it.")
@click.argument("name", type=Name())
@click.option("--grace", type=Duration(), default="0s", help="How long the old key still opens, such as 1h.")
@as_json_option
@settings_options("redis_url", "data")
def rotate(settings: Settings, *, name: str, grace: float, as_json: bool) -> None:
    """Give a source a new key, and show it, once. Without --grace the old one opens no more."""
    key = _do(settings, lambda redis: sources.rotate(redis, name, grace))
    _show_key(name, key, as_json=as_json, told=f"has a new key{f', and the old one for {grace:g} s' if grace else ''}")


@source.command(short_help="Remove one: its key opens no more.")
@click.argument("name", type=Name())
@click.option("--open", "may_open", is_flag=True, help="Remove the last one, too, and open the relay for anybody.")
@settings_options("redis_url", "data")
def remove(settings: Settings, *, name: str, may_open: bool) -> None:
    """Remove a source: its key opens no more. What it sent stays."""

    async def go(redis: Redis) -> bool:
        await sources.remove(redis, name, may_open=may_open)
        return (await sources.load(redis)).is_open

    is_open = _do(settings, go)
    click.echo(f"source {name} removed" + (f"; {OPEN}" if is_open else ""))


def _do(settings: Settings, action: Callable[[Redis], Awaitable[T]]) -> T:
    """Act on the queue's server; what cannot be done so ends the command with exit code 1."""
    try:
        return operate(settings, lambda data_set: action(data_set.redis))
    except SourceError as error:
        raise click.ClickException(str(error)) from error


def _fields(given: dict[str, Any], known: Source | None) -> dict[str, Any]:
    """The fields of a source that were given; a burst alone goes with the rate that is known."""
    fields: dict[str, Any] = {}
    if given["kind"]:
        fields["kind"] = Kind(given["kind"])
    if given["sites"]:
        fields["sites"] = parse_sites(site for sites in given["sites"] for site in sites)
    if given["speaks"] is not None:
        fields["speaks"] = given["speaks"]
    for name, burst in ("rate", "burst"), ("address_rate", "address_burst"):
        old: Rate | None = getattr(known, name, None)
        per_s = given[name] or (old.per_s if old and given[burst] else None)
        if given[burst] and per_s is None:
            raise click.UsageError(f"--{burst.replace('_', '-')} goes with --{name.replace('_', '-')}")
        if per_s is not None:
            fields[name] = rate_of(per_s, given[burst])
    return fields


def _show_key(name: str, key: str, *, as_json: bool, told: str) -> None:
    if as_json:
        click.echo(json.dumps({"name": name, "key": key}))
        return
    click.echo(
        f"source {name}: {told}\n\n  {key}\n\nThe key is shown this once. Send it as Authorization: Bearer {key}"
    )


def _sites(source: Source) -> list[str]:
    return [EVERY_SITE] if source.sites.every else sorted(source.sites.names)


def _told(source: Source) -> str:
    """What it may, in words."""
    speaks = ", and may speak for its visitors" if source.speaks else ""
    limits = [
        f"; at most {rate.per_s:g} a second and {rate.burst} at once{of}"
        for rate, of in ((source.rate, ""), (source.address_rate, " for each address"))
        if rate is not None
    ]
    return f"{source.kind}, may post for {', '.join(_sites(source))}{speaks}{''.join(limits)}"


def _listed(found: Found) -> str:
    if found.is_open:
        return OPEN
    lines = [f"{kept.source.name:<24} {when(kept.created_ms)}  {_told(kept.source)}" for kept in found.kept]
    return "\n".join([*lines, several(len(found.kept), "source")])


def _shown(kept: Kept) -> dict[str, Any]:
    """One source for machines; nothing of its keys but how many open."""
    source = kept.source
    rate, address_rate = source.rate, source.address_rate
    return {
        "name": source.name,
        "kind": source.kind,
        "sites": _sites(source),
        "speaks": source.speaks,
        "rate": rate and rate.per_s,
        "burst": rate and rate.burst,
        "address_rate": address_rate and address_rate.per_s,
        "address_burst": address_rate and address_rate.burst,
        "created": when(kept.created_ms),
        "rotated": None if kept.rotated_ms is None else when(kept.rotated_ms),
        "old_key_until": next((when(until) for until in kept.digests.values() if until is not None), None),
    }
