"""The account by site and hour: what was accepted in an hour, and what became of it, whenever that was.

The scripts in keys.py write it in the steps that write the ledger; here it is only read. Each hour of a partition is
read at one moment, so each balances by itself, and so does any sum of them.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from redis.asyncio import Redis

from relay.queue import keys

HOUR_S: Final = 3_600
DAY_S: Final = 86_400.0  # what is told of sites if nobody says for how long
HASHES_A_TRIP: Final = 200  # 40 days in 8 partitions are 7,680 hashes: they come in pieces
_KEY: Final = re.compile(rb"relay:\{(\d{1,9})\}:tally:(\d{1,12})")

Place = tuple[int, str]
"""Where an event is counted: hour of its acceptance (Unix time / 3,600), and site."""
Group = TypeVar("Group")


@dataclass(frozen=True, slots=True)
class Tally:
    """How many events were accepted, and what became of them."""

    accepted: int = 0
    delivered: int = 0
    dropped: int = 0
    dead: int = 0

    @property
    def pending(self) -> int:
        """Accepted events without an outcome."""
        return self.accepted - self.delivered - self.dropped - self.dead

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))


NOTHING: Final = Tally()


def hour_text(hour: int) -> str:
    """The beginning of an hour, as 2026-11-23T14:00Z."""
    return datetime.fromtimestamp(hour * HOUR_S, UTC).strftime("%Y-%m-%dT%H:%MZ")


async def first_hour(redis: Redis, since_s: float) -> int:
    """The hour of that many seconds ago by the server's clock, which began before: hours are counted whole."""
    now_s, _ = await redis.time()
    return int(max(0.0, now_s - since_s) // HOUR_S)


async def hours_kept(redis: Redis) -> dict[int, list[int]]:
    """By partition the hours that have a tally, oldest first, found by looking at every key: for the audit."""
    found: dict[int, list[int]] = {}
    async for key in redis.scan_iter(match="relay:{*}:tally:*", count=1_000):
        if named := _KEY.fullmatch(key):
            found.setdefault(int(named[1]), []).append(int(named[2]))
    return {partition: sorted(set(hours)) for partition, hours in sorted(found.items())}


async def tallies_of(redis: Redis, partition: int, hours: Sequence[int]) -> dict[Place, Tally]:
    """A partition's tallies of these hours."""
    found: dict[Place, Tally] = {}
    async for hour, tallies in _read(redis, [(partition, hour) for hour in hours]):
        found |= {(hour, site): tally for site, tally in tallies.items()}
    return found


async def hours_listed(redis: Redis, partitions: int) -> list[tuple[int, int]]:
    """Each partition and hour that has a tally. Clocks that go wrong hide none, as no hour is guessed."""
    pipe = redis.pipeline(transaction=False)
    for partition in range(partitions):
        pipe.zrange(keys.tally(partition, "hours"), 0, -1)
    return [(partition, int(hour)) for partition, hours in enumerate(await pipe.execute()) for hour in hours]


async def summed(
    redis: Redis, partitions: int, since_hour: int, group: Callable[[Place], Group | None]
) -> dict[Group, Tally]:
    """The tallies of all partitions since that hour, summed by what `group` makes of hour and site; None leaves out."""
    wanted = [place for place in await hours_listed(redis, partitions) if place[1] >= since_hour]
    sums: dict[Group, Tally] = {}
    async for hour, tallies in _read(redis, wanted):
        for site, tally in tallies.items():
            key = group((hour, site))
            if key is not None:
                sums[key] = sums.get(key, NOTHING) + tally
    return sums


def by_site(flat: Iterable[bytes]) -> dict[str, Tally]:
    """The tallies of one hour from what HGETALL gives: `<verb> <site>`, count, and so on."""
    found: dict[str, dict[str, int]] = {}
    pairs = iter(flat)
    for name, count in zip(pairs, pairs, strict=True):
        verb, _, site = name.decode("utf-8", "replace").partition(" ")
        if verb in Tally.__slots__:
            found.setdefault(site, {})[verb] = int(count)
    return {site: Tally(**counts) for site, counts in found.items()}


async def _read(redis: Redis, wanted: Sequence[tuple[int, int]]) -> AsyncIterator[tuple[int, Mapping[str, Tally]]]:
    for start in range(0, len(wanted), HASHES_A_TRIP):
        part = wanted[start : start + HASHES_A_TRIP]
        pipe = redis.pipeline(transaction=False)
        for partition, hour in part:
            pipe.hgetall(keys.tally(partition, hour))
        replies: list[dict[bytes, Any]] = await pipe.execute()
        for (_, hour), fields in zip(part, replies, strict=True):
            yield hour, by_site(word for pair in fields.items() for word in pair)
