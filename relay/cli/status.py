"""`relay status`: what became of the events, and what keeps the others waiting. The account is relay.queue.ledger's."""

import json
from collections.abc import Mapping
from typing import Any

import click

from relay.cli.breakdown import GROUPS, breakdown, table
from relay.cli.duration import Duration
from relay.cli.operating import DataSet, operate, several
from relay.cli.options import settings_options
from relay.queue.connection import server_promise
from relay.queue.ledger import Look, look
from relay.queue.tallies import DAY_S
from relay.rules.drops import ADVICE
from relay.settings import Settings


@click.command()
@click.option("--by", type=click.Choice(GROUPS), help="The account by site, or by hour of acceptance (UTC).")
@click.option(
    "--since", type=Duration(), help="With --by: accepted since so long ago, at most 40 days.  [default: 24h]"
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; with --by it has the rows, too.")
@settings_options("redis_url", "data")
def status(settings: Settings, *, by: str | None, since: float | None, as_json: bool) -> None:
    """Say what became of the events.

    Always: accepted = delivered + dropped + dead + pending.
    """
    if since is not None and by is None:
        raise click.UsageError("--since is for --by site or --by hour: the account itself is that of all time")
    since_s = DAY_S if since is None else since
    if by is not None and not as_json:
        told = operate(settings, lambda data_set: breakdown(data_set.redis, data_set.partitions, by, since_s))
        click.echo("\n".join(table(told, by)))
        return
    told = operate(settings, lambda data_set: _ask(data_set, by, since_s))
    click.echo(json.dumps(told, indent=2) if as_json else _text(told))


async def _ask(data_set: DataSet, by: str | None, since_s: float) -> dict[str, Any]:
    return await _account(data_set) | (
        {} if by is None else await breakdown(data_set.redis, data_set.partitions, by, since_s)
    )


async def _account(data_set: DataSet) -> dict[str, Any]:
    promise = await server_promise(data_set.redis)
    seen = await look(data_set.redis, data_set.partitions)
    return {
        "ledger": seen.ledger,
        "lag_s": seen.lag_s,
        "durability": str(promise.durability),
        "shortcomings": promise.shortcomings,
        "upstream": upstream_of(seen),
        "failing_sites": failing_sites_of(seen),
        "partitions": {"total": data_set.partitions, "owned": seen.owned, "backlog": list(seen.backlog.values())},
        "workers": seen.workers,
        "dropped": seen.reasons("dropped"),
        "dead": seen.reasons("dead"),
        "dead_letters": seen.letters,
        "failing": seen.failing,
        "repeated": seen.counters.get("repeated", 0),
        "duplicates": seen.counters.get("duplicates", 0),
        "redriven": seen.counters.get("redriven", 0),
        "purged": seen.counters.get("purged", 0),
        "refused": seen.refused,
    }


def upstream_of(seen: Look) -> dict[str, Any]:
    """One word for all workers: down if any of them sees it down, unknown if none lives to tell."""
    told: list[Mapping[str, Any]] = [state["upstream"] for state in seen.workers.values() if "upstream" in state]
    if not told:
        return {"state": "unknown", "reason": "no worker is running"}
    return dict(next((state for state in told if state["state"] == "down"), told[0]))


def failing_sites_of(seen: Look) -> dict[str, str]:
    """The sites that fail by themselves while others are taken, as any worker sees them, and why."""
    told = [state.get("upstream", {}).get("failing_sites", {}) for state in seen.workers.values()]
    return {site: reason for sites in told for site, reason in sorted(sites.items())}


def _text(told: dict[str, Any]) -> str:
    numbers, upstream, partitions = told["ledger"], told["upstream"], told["partitions"]
    lines = [
        f"accepted   {numbers['accepted']:>12,}",
        f"delivered  {numbers['delivered']:>12,}",
        f"dropped    {numbers['dropped']:>12,}  {_reasons(told['dropped'])}",
        f"dead       {numbers['dead']:>12,}  {_reasons(told['dead'])}",
        f"pending    {numbers['pending']:>12,}  {_pending(told)}",
        "",
        f"upstream   {upstream.get('url', '')} {upstream['state']}"
        + (f": {upstream['reason']}" if "reason" in upstream else "")
        + (f", for {upstream['down_for_s']:.0f} s" if "down_for_s" in upstream else ""),
        *_failing(told["failing_sites"]),
        f"workers    {len(told['workers'])}, {partitions['owned']} of {partitions['total']} partitions owned",
        f"durability {told['durability']}",
        *(f"           ! {text}" for text in told["shortcomings"]),
    ]
    if told["refused"]:
        lines.append(f"refused    {_reasons(told['refused'])}")
    if told["repeated"]:
        lines.append(f"repeated   {several(told['repeated'], 'event')} sent twice, as far as is known")
    if told["duplicates"]:
        lines.append(
            f"duplicates {several(told['duplicates'], 'event')} that a sender repeated with its key, kept once"
        )
    lines += _advice(told["dropped"])
    return "\n".join(line.rstrip() for line in lines)


def _advice(dropped: Mapping[str, int]) -> list[str]:
    """Say for each cause that occurred what can be done about it."""
    told = [f"{cause}: {advice}" for cause, advice in ADVICE.items() if dropped.get(cause)]
    return [f"{'' if number else 'drops':<10} {text}" for number, text in enumerate(told)]


def _failing(sites: Mapping[str, str]) -> list[str]:
    """Name each site whose events wait."""
    return [f"{'' if n else 'failing':<10} {site}: {reason}" for n, (site, reason) in enumerate(sites.items())]


def _pending(told: dict[str, Any]) -> str:
    if not told["ledger"]["pending"]:
        return ""
    failing = f", {told['failing']:,} of them failed before" if told["failing"] else ""
    return f"the oldest for {told['lag_s']:.1f} s{failing}"


def _reasons(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {n:,}" for reason, n in counted.items() if n)
