"""Counting again what is pending and what is dead, place by place, to be held against the tallies.

It is right while traffic flows: a place is compared only if its tally stood still while the stream was walked through.
A short stream is also read together with its tallies in one step, so that busy places are compared, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis

from relay.queue import keys, looks
from relay.queue.tallies import NOTHING, Place, Tally, by_site, tallies_of
from relay.queue.walk import PAGE, PAGE_BYTES, Walk, heads_in, pages_of

ROUNDS: Final = 4  # how often a stream is walked through for places that moved


@dataclass(frozen=True, slots=True)
class Stretch:
    """A walk, and the tallies and ledger before and after it. Only `hours` were read of the tallies."""

    hours: frozenset[int]
    before: Mapping[Place, Tally]
    after: Mapping[Place, Tally]
    redriven: tuple[int, int]
    purged: int
    walk: Walk

    @property
    def counted(self) -> Counter[Place]:
        """The walk's entries by the place where they are tallied: a made-up site may be among the others."""
        busy = {hour for hour, _ in self.after}
        found: Counter[Place] = Counter()
        for place, n in self.walk.places.items():
            hour, _ = place
            found[place if place in self.after or hour not in busy else (hour, keys.OTHER_SITES)] += n
        return found

    def stood_still(self, place: Place) -> bool:
        """Whether nothing was accepted there and nothing got an outcome during the walk.

        All counts but `dead` only rise, and that falls only when `redriven` rises: equal ends mean that nothing moved.
        """
        same = self.before.get(place) == self.after.get(place)
        return place[0] in self.hours and same and self.redriven[0] == self.redriven[1]


@dataclass(slots=True)
class Pending:
    """The recount of a partition's pending events.

    `compared` has for each place its tally's pending and what was counted; `moving` the places that never stood still.
    """

    walk: Walk
    compared: dict[Place, tuple[int, int]]
    moving: set[Place]


@dataclass(frozen=True, slots=True)
class Letters:
    """The recount of a partition's dead letters.

    `surplus` has for each place with more letters than dead events both numbers; `lost` is how many more died than are
    kept or were purged. With `moving` neither is known, as letters were sent again all the while.
    """

    walk: Walk
    surplus: dict[Place, tuple[int, int]]
    lost: int
    moving: bool


async def recount_pending(redis: Redis, partition: int, partitions: int, hours: Iterable[int]) -> Pending:
    """Count the pending events of a partition and hold each place against its tally."""
    stream = keys.events(partition)
    stretch = await _walked(redis, stream, Walk(partition, partitions), frozenset(hours))
    found = Pending(stretch.walk, {}, set())
    _compare(stretch, found, every=True)
    for _ in range(ROUNDS - 1):
        if not found.moving:
            break
        moved = frozenset(hour for hour, _ in found.moving)
        walk = Walk(partition, partitions)
        stretch = await _at_once(redis, walk, moved) or await _walked(redis, stream, walk, moved)
        _compare(stretch, found, every=False)
    return found


async def recount_letters(redis: Redis, partition: int, partitions: int, hours: Iterable[int]) -> Letters:
    """Count the dead letters of a partition and hold them against the tallies, which count purged ones, too."""
    wanted = frozenset(hours)
    rounds = 0
    while True:
        rounds += 1
        walk = Walk(partition, partitions, letters=True)
        stretch = await _walked(redis, keys.dead(partition), walk, wanted)
        counted = stretch.counted
        wanted |= {hour for hour, _ in counted}  # also hours that lack their tally
        if stretch.redriven[0] == stretch.redriven[1] and wanted == stretch.hours:
            return _letters(stretch, counted)
        if rounds == ROUNDS:
            return Letters(walk, {}, 0, moving=True)


def _letters(stretch: Stretch, counted: Counter[Place]) -> Letters:
    """Hold letters against what died. Purges may go on meanwhile: they leave the tallies alone and raise `purged`."""
    dead = {place: tally.dead for place, tally in stretch.after.items()}
    surplus = {place: (dead.get(place, 0), n) for place, n in counted.items() if n > dead.get(place, 0)}
    gone = sum(max(0, tally.dead - counted[place]) for place, tally in stretch.before.items())
    explained = stretch.purged + stretch.walk.unreadable.count
    return Letters(stretch.walk, surplus, max(0, gone - explained), moving=False)


def _compare(stretch: Stretch, found: Pending, *, every: bool) -> None:
    """Put the stretch's places into `found`: all of them, or those that moved before. What was compared stays so."""
    counted = stretch.counted
    places = stretch.before.keys() | stretch.after.keys() | counted.keys()
    still = {place for place in (places if every else places & found.moving) if stretch.stood_still(place)}
    for place in still:
        found.compared[place] = (stretch.after.get(place, NOTHING).pending, counted[place])
    found.moving = (places if every else places & found.moving) - still


async def _walked(redis: Redis, stream: str, walk: Walk, hours: frozenset[int]) -> Stretch:
    """Walk through a whole stream, between two readings of the tallies."""
    redriven, _ = await _counters(redis, walk.partition)
    before = await tallies_of(redis, walk.partition, sorted(hours))
    async for heads in pages_of(redis, stream, "" if walk.letters else keys.bundles(walk.partition)):
        walk.add(heads)
    after = await tallies_of(redis, walk.partition, sorted(hours))
    redriven_since, purged = await _counters(redis, walk.partition)
    return Stretch(hours, before, after, (redriven, redriven_since), purged, walk)


async def _at_once(redis: Redis, walk: Walk, hours: frozenset[int]) -> Stretch | None:
    """Read a short stream and these hours' tallies in one step; None if it is not short."""
    wanted = sorted(hours)
    partition = walk.partition
    touched = (keys.events(partition), keys.bundles(partition), *(keys.tally(partition, hour) for hour in wanted))
    reply: Any = await redis.eval(looks.MOMENT, len(touched), *touched, str(PAGE), str(PAGE_BYTES))  # type: ignore[misc]
    if not reply:
        return None
    flat, tallies = reply
    walk.add(heads_in(flat))
    found = {
        (hour, site): tally
        for hour, hashed in zip(wanted, tallies, strict=True)
        for site, tally in by_site(hashed).items()
    }
    return Stretch(hours, found, found, (0, 0), 0, walk)


async def _counters(redis: Redis, partition: int) -> tuple[int, int]:
    """The ledger's `redriven` and `purged`."""
    redriven, purged = await redis.hmget(keys.ledger(partition), ["redriven", "purged"])  # type: ignore[misc]
    return int(redriven or 0), int(purged or 0)
