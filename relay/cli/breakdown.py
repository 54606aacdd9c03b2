"""`relay status --by site|hour`: the account by site or hour, as rows. It is added up by relay.queue.tallies."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from redis.asyncio import Redis

from relay.queue.keys import OTHER_SITES
from relay.queue.tallies import Tally, first_hour, hour_text, summed

COLUMNS: Final = ("accepted", "delivered", "dropped", "dead", "pending")
GROUPS: Final = ("site", "hour")


async def breakdown(redis: Redis, partitions: int, by: str, since_s: float) -> dict[str, Any]:
    """What was accepted in the last `since_s` seconds and what became of it: `since`, and `sites` or `hours`.

    Sites with most events come first, hours in their order.
    """
    first = await first_hour(redis, since_s)
    group = (lambda place: place[1]) if by == "site" else (lambda place: place[0])
    sums: Mapping[Any, Tally] = await summed(redis, partitions, first, group)
    if by == "site":
        rows = sorted(sums.items(), key=lambda row: (-row[1].accepted, row[0]))
    else:
        rows = [(hour_text(hour), tally) for hour, tally in sorted(sums.items())]
    return {"since": hour_text(first), f"{by}s": {name: _numbers(tally) for name, tally in rows}}


def table(told: Mapping[str, Any], by: str) -> Iterator[str]:
    """The rows as lines, with the sum of them all last."""
    rows: Mapping[str, Mapping[str, int]] = told[f"{by}s"]
    names = {name: "(further sites)" if name == OTHER_SITES else name for name in rows}
    width = max([len(by), len("together"), *map(len, names.values())])
    yield f"{by:<{width}}" + "".join(f"{column:>13}" for column in COLUMNS)
    for name, numbers in rows.items():
        yield _row(names[name], width, numbers)
    if len(rows) != 1:
        yield _row("together", width, {column: sum(row[column] for row in rows.values()) for column in COLUMNS})
    yield f"accepted since {told['since']}, and what became of it, whenever that was"


def _row(name: str, width: int, numbers: Mapping[str, int]) -> str:
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)  # a site's name may come from anybody
    return f"{shown:<{width}}" + "".join(f"{numbers[column]:>13,}" for column in COLUMNS)


def _numbers(tally: Tally) -> dict[str, int]:
    return {column: getattr(tally, column) for column in COLUMNS}
