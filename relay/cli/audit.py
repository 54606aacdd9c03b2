"""`relay audit`: everything that is kept, recounted. What differs is found by relay.queue.audit; here it is said."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

import click

from relay.cli.operating import operate, several
from relay.cli.options import settings_options
from relay.queue import audit as recount
from relay.queue.audit import Audit
from relay.queue.differences import ADVICE, Difference, Kind
from relay.settings import Settings

NAMED: Final = 20  # differences of a kind that are printed for people; --json has all of them


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with every difference.")
@settings_options("redis_url", "data")
@click.pass_context
def audit(ctx: click.Context, settings: Settings, *, as_json: bool) -> None:
    """Recount everything that is kept, and say what differs from the account.

    Streams, retry schedules and dead letters are counted again and held against the ledger and against the account by
    site and hour. It changes nothing, and events may flow meanwhile. Exit code 0: all agrees; 1: something differs.
    """
    told = operate(settings, lambda data_set: recount.audit(data_set.redis, data_set.partitions))
    click.echo(json.dumps(_fields(told), indent=2) if as_json else "\n".join(_lines(told)))
    ctx.exit(1 if told.differences else 0)


def _fields(told: Audit) -> dict[str, Any]:
    looked_at = ("partitions", "pending", "letters", "scheduled", "tallies")
    return {
        "agrees": not told.differences,
        "looked_at": {name: getattr(told, name) for name in looked_at},
        "differences": [asdict(one) for one in told.differences],
        "advice": {kind: ADVICE[kind] for kind in dict.fromkeys(one.kind for one in told.differences)},
        "not_compared": told.not_compared,
    }


def _lines(told: Audit) -> Iterator[str]:
    by_kind: defaultdict[Kind, list[Difference]] = defaultdict(list)
    for one in told.differences:
        by_kind[one.kind].append(one)
    yield (
        f"looked at     {several(told.pending, 'pending event')}, {several(told.letters, 'dead letter')}, "
        f"{several(told.scheduled, 'scheduled retry', 'scheduled retries')}, "
        f"{several(told.tallies, 'tally', 'tallies')} of an hour and site, in {several(told.partitions, 'partition')}"
    )
    for number, text in enumerate(told.not_compared):
        yield f"{'' if number else 'not compared':<13} {text}: too much moved, ask again"
    for kind, found in by_kind.items():
        yield from _of_kind(kind, found)
    yield f"{several(len(told.differences), 'difference')}" if told.differences else "all agrees"


def _of_kind(kind: Kind, found: Sequence[Difference]) -> Iterator[str]:
    for number, one in enumerate(found[:NAMED]):
        yield f"{'' if number else kind:<13} partition {one.partition}: {one.says} ({one.by:+,})"
    if len(found) > NAMED:
        yield f"{'':<13} and {len(found) - NAMED:,} more: --json has them all"
    yield f"{'':<13} → {ADVICE[kind]}"
