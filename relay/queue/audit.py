"""The audit: everything that is kept is counted again, and held against the account. It changes nothing.

What can differ is listed in differences.py; how it is counted stands in walk.py and recount.py. Traffic may flow
meanwhile: what cannot be compared for that is said, too, and is no difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from redis.asyncio import Redis

from relay.queue import keys, looks
from relay.queue.differences import Difference, Kind
from relay.queue.ledger import looked_at
from relay.queue.recount import Letters, Pending, recount_letters, recount_pending
from relay.queue.tallies import HOUR_S, Place, hour_text, hours_kept
from relay.queue.walk import Some
from relay.rules.judge import DeadReason

UNREADABLE: Final = f"dead:{DeadReason.UNREADABLE}"


@dataclass(slots=True)
class Audit:
    """What was found, how much was looked at, and what moved too much to be compared."""

    differences: list[Difference] = field(default_factory=list)
    partitions: int = 0
    pending: int = 0
    letters: int = 0
    scheduled: int = 0
    tallies: int = 0
    not_compared: list[str] = field(default_factory=list)


async def audit(redis: Redis, partitions: int) -> Audit:
    """Recount a data set. Raises what redis-py raises."""
    told = Audit(partitions=partitions)
    hours = await hours_kept(redis)
    now_s, _ = await redis.time()
    forgotten_before = (now_s - keys.TALLY_KEPT_S) // HOUR_S
    for partition in range(partitions):
        died_unreadable = await _look(redis, partition, told)
        await _scheduled(redis, partition, told)
        pending = await recount_pending(redis, partition, partitions, hours.get(partition, []))
        letters = await recount_letters(redis, partition, partitions, hours.get(partition, []))
        _entries(partition, pending, letters, told)
        died_unreadable = max(died_unreadable, await _died_unreadable(redis, partition))
        _tallies(partition, pending, died_unreadable, forgotten_before, told)
        _letter_tallies(partition, letters, forgotten_before, told)
    await _reach(redis, partitions, told)
    return told


async def _look(redis: Redis, partition: int, told: Audit) -> int:
    """The ledger against the lengths of the streams, all read in one step; returns how many died unreadable."""
    touched = looked_at(partition)
    flat, pending, _, _, letters, *_ = await redis.eval(looks.LOOK, len(touched), *touched)  # type: ignore[misc]
    pairs = iter(flat)
    counters = {name.decode(): int(n) for name, n in zip(pairs, pairs, strict=True)}
    told.differences += _against_ledger(partition, counters, pending, letters)
    return counters.get(UNREADABLE, 0)


async def _died_unreadable(redis: Redis, partition: int) -> int:
    return int(await redis.hget(keys.ledger(partition), UNREADABLE) or 0)  # type: ignore[misc]


def _against_ledger(partition: int, counters: Mapping[str, int], pending: int, letters: int) -> Iterator[Difference]:
    accepted, delivered, dropped, dead, purged = (
        counters.get(name, 0) for name in ("accepted", "delivered", "dropped", "dead", "purged")
    )
    due = accepted - delivered - dropped - dead
    if pending != due:
        sum_text = f"accepted {accepted} - delivered {delivered} - dropped {dropped} - dead {dead} = {due} pending"
        yield Difference(Kind.BALANCE, partition, pending - due, f"{sum_text}, but {pending} events are kept")
    for outcome, total in (("dropped", dropped), ("dead", dead)):
        parts = sum(n for name, n in counters.items() if name.startswith(f"{outcome}:"))
        if parts != total:
            yield Difference(
                Kind.REASONS, partition, parts - total, f"{outcome} is {total}, its reasons add up to {parts}"
            )
    if letters != dead - purged:
        says = f"dead {dead} - purged {purged} = {dead - purged} dead letters, but {letters} are kept"
        yield Difference(Kind.LETTERS, partition, letters - (dead - purged), says)


async def _scheduled(redis: Redis, partition: int, told: Audit) -> None:
    """The retry schedule against the stream, some hundred notes in one step."""
    orphans, damaged, cursor = Some(), Some(), b"0"
    while True:
        touched = (keys.events(partition), keys.retry(partition), keys.bundles(partition))
        reply: Any = await redis.eval(looks.SCHEDULE, len(touched), *touched, cursor.decode())  # type: ignore[misc]
        cursor, seen, no_event, no_note = reply
        told.scheduled += seen
        for names, found in ((no_event, orphans), (no_note, damaged)):
            for name in names:
                found.add(name.decode("utf-8", "replace"))
        if cursor == b"0":
            break
    if orphans.count:
        says = f"the retry schedule has {_named(orphans, partition)} that are not pending"
        told.differences.append(Difference(Kind.SCHEDULE, partition, orphans.count, says))
    if damaged.count:
        says = f"the retry schedule has {_named(damaged, partition)} whose note cannot be read"
        told.differences.append(Difference(Kind.SCHEDULE, partition, damaged.count, says))


def _entries(partition: int, pending: Pending, letters: Letters, told: Audit) -> None:
    """Each entry can be read, and is where its visitor's events belong."""
    told.pending += pending.walk.seen
    told.letters += letters.walk.seen
    for walk, what in ((pending.walk, "pending events"), (letters.walk, "dead letters")):
        if walk.unreadable.count:
            says = f"{what} that cannot be read: {_named(walk.unreadable, partition)}"
            told.differences.append(Difference(Kind.UNREADABLE, partition, walk.unreadable.count, says))
        if walk.misplaced.count:
            says = f"{what} of visitors who belong to another partition: {_named(walk.misplaced, partition)}"
            told.differences.append(Difference(Kind.MISPLACED, partition, walk.misplaced.count, says))


def _tallies(partition: int, pending: Pending, died_unreadable: int, forgotten_before: int, told: Audit) -> None:
    """What each hour and site has pending, against what was counted.

    What cannot be read is of no known hour: it stays pending in its tally and is not counted again, so fewer may
    be found than tallied, by as many as cannot be read or died of that. The balance watches over these.
    """
    compared = {
        place: numbers
        for place, numbers in pending.compared.items()
        if place[0] >= forgotten_before or numbers[0] != 0  # else it waited for longer than tallies are kept
    }
    told.tallies += len(compared)
    short = sum(max(0, tallied - counted) for tallied, counted in compared.values())
    explained = short <= died_unreadable + pending.walk.unreadable.count
    for place, (tallied, counted) in sorted(compared.items()):
        if counted > tallied or (counted < tallied and not explained):
            says = f"{tallied} are tallied as pending, but {counted} are kept"
            told.differences.append(_of_place(partition, place, counted - tallied, says))
    told.not_compared += [f"partition {partition}: pending, {_place_text(place)}" for place in sorted(pending.moving)]


def _letter_tallies(partition: int, letters: Letters, forgotten_before: int, told: Audit) -> None:
    for place, (dead, kept) in sorted(letters.surplus.items()):
        if place[0] >= forgotten_before or dead:
            says = f"{dead} are tallied as dead, but {kept} dead letters are kept"
            told.differences.append(_of_place(partition, place, kept - dead, says))
    if letters.lost:
        says = f"{letters.lost} more are tallied as dead than dead letters are kept or were purged"
        told.differences.append(Difference(Kind.TALLY, partition, -letters.lost, says))
    if letters.moving:
        told.not_compared.append(f"partition {partition}: dead letters by hour and site, as some were being sent again")


async def _reach(redis: Redis, partitions: int, told: Audit) -> None:
    """No partition beyond the number of partitions keeps anything."""
    async for key in redis.scan_iter(match="relay:{*}:*", count=1_000):
        named = re.fullmatch(rb"relay:\{(\d{1,9})\}:(events|dead)", key)
        if named and int(named[1]) >= partitions and (kept := await _kept(redis, key, int(named[1]))):
            what = "pending events" if named[2] == b"events" else "dead letters"
            says = f"{kept} {what} are out of reach, as the data set has {partitions} partitions"
            told.differences.append(Difference(Kind.OUT_OF_REACH, int(named[1]), kept, says))


async def _kept(redis: Redis, stream: bytes, partition: int) -> int:
    """How many events or letters a stream has."""
    is_dead = stream == keys.dead(partition).encode()
    kept: Any = await redis.eval(looks.PENDING, 2, stream.decode(), "" if is_dead else keys.bundles(partition))  # type: ignore[misc]
    return int(kept)


def _of_place(partition: int, place: Place, by: int, says: str) -> Difference:
    hour, site = place
    return Difference(Kind.TALLY, partition, by, f"{_place_text(place)}: {says}", site, hour_text(hour))


def _place_text(place: Place) -> str:
    return f"{place[1]} in the hour {hour_text(place[0])}"


def _named(found: Some, partition: int) -> str:
    more = ", …" if found.count > len(found.first) else ""
    return f"{found.count} ({', '.join(f'{partition}:{name}' for name in found.first)}{more})"
