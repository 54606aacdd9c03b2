"""Claiming and settling: reading a partition's stream in order, and writing down what became of its events.

XDEL in `settle` is the only way out of a stream, so what was read and not settled is read again. An event's id is its
entry's or, in a bundle, that and its place there (bundle.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

import hiredis
import orjson
from redis.asyncio import Redis
from redis.exceptions import NoScriptError, ResponseError

from relay.queue import keys, looks
from relay.queue.connection import in_one_trip
from relay.queue.reading import RawEntry
from relay.queue.scripts import sha

BLOCK_MS = 1_000
START, END = b"0-0", b"+"
ALONE = frozenset({"dead", "again"})  # verbs whose outcomes are settled one by one


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of an event that failed: attempts so far, and when they began and go on, Unix ms.

    `failed_ms` is when the last one failed, `failing_ms` for how long it has failed while others passed.
    """

    attempts: int
    first_failed_ms: int
    next_ms: int
    reason: str
    aside: bool = False
    failed_ms: int = 0
    failing_ms: int = 0

    def pack(self) -> bytes:
        """The note as it is kept."""
        return orjson.dumps(asdict(self))


class Outcome(NamedTuple):
    """One line for `settle`: verb delivered, dropped, dead or again, the event's id, and the note for it.

    `tally` is the event's own, or empty if the event cannot be read. `form`: what is kept of a dead one out of a
    bundle, or of one that is tried again in an entry of its own; else it is its entry's.
    """

    verb: str
    event_id: bytes
    note: bytes = b""
    tally: tuple[str, str] = ("", "")
    form: bytes = b""


async def read_after(
    redis: Redis, partition: int, after: bytes, count: int, block_ms: int = BLOCK_MS
) -> list[RawEntry]:
    """The next entries after id `after`, at most `count`; waits so long for one to come."""
    words = ("XREAD", "COUNT", count, "BLOCK", block_ms, "STREAMS", keys.events(partition), after)
    call: bytes = hiredis.pack_command(words)  # type: ignore[arg-type] # its stub knows tuples of one only
    [reply] = await in_one_trip(redis, [call])
    return _entries(reply[0][1]) if reply else []


async def read_after_each(
    redis: Redis, after: Mapping[int, bytes], count: int, block_ms: int
) -> dict[int, list[RawEntry]]:
    """By partition the next entries after its id, at most `count` of each; those without are left out.

    Waits so long for one to come to any of them.
    """
    names = {keys.events(partition).encode(): partition for partition in after}
    words = ("XREAD", "COUNT", count, "BLOCK", block_ms, "STREAMS", *names, *after.values())
    call: bytes = hiredis.pack_command(words)  # type: ignore[arg-type] # its stub knows tuples of one only
    [reply] = await in_one_trip(redis, [call])
    return {names[name]: _entries(entries) for name, entries in reply or ()}


def _entries(flat: Sequence[Any]) -> list[RawEntry]:
    return [(entry_id, dict(zip(words[::2], words[1::2], strict=True))) for entry_id, words in flat]


def following(entry_id: bytes) -> bytes:
    """The least id behind this one."""
    ms, _, number = entry_id.partition(b"-")
    return b"%b-%d" % (ms, int(number) + 1)


async def read_one(redis: Redis, partition: int, entry_id: bytes) -> bytes | None:
    """The stored form of one entry by its id, None when it is no longer pending."""
    reply: Any = await redis.xrange(keys.events(partition), entry_id, entry_id)
    return reply[0][1].get(b"e", b"") if reply else None


async def read_states(redis: Redis, partition: int, entry_ids: Sequence[bytes]) -> dict[bytes, bytes]:
    """Of those bundles of which some events have an outcome, or all: for each event whether it is pending."""
    if not entry_ids:
        return {}
    touched = (keys.events(partition), keys.bundles(partition))
    told: list[bytes] = await redis.eval(looks.STATES, len(touched), *touched, *entry_ids)  # type: ignore[misc, arg-type]
    return {entry_id: state for entry_id, state in zip(entry_ids, told, strict=True) if state}


async def read_notes(redis: Redis, partition: int) -> dict[bytes, Note]:
    """What earlier owners noted of the events that failed."""
    kept: dict[bytes, bytes] = await redis.hgetall(keys.retry(partition))  # type: ignore[misc]
    return {entry_id: note_of(text) for entry_id, text in kept.items()}


def note_of(text: bytes) -> Note:
    """A note as this relay knows it; what a later one added to it is passed over."""
    found = orjson.loads(text)
    return Note(**{field.name: found[field.name] for field in fields(Note) if field.name in found})


async def settle(redis: Redis, outcomes: Mapping[int, Sequence[Outcome]], *, again: bool) -> int:
    """Write down outcomes by partition, in one script call.

    `again` says that the answer to an earlier call with these outcomes was lost. Returns how many events
    turned out to have been settled before, by somebody else: those were sent twice. Raises what redis-py raises; if
    the server refuses one partition's outcomes, those of others are written all the same.
    """
    try:
        return await _settle(redis, outcomes, again=again)
    except NoScriptError:
        await redis.script_load(keys.SETTLE)
        return await _settle(redis, outcomes, again=again)  # nothing of it was done


async def _settle(redis: Redis, outcomes: Mapping[int, Sequence[Outcome]], *, again: bool) -> int:
    touched: list[str] = []
    told: list[str | bytes | int] = ["1" if again else "0"]
    for partition, lines in outcomes.items():
        touched += (
            keys.events(partition),
            keys.retry(partition),
            keys.ledger(partition),
            keys.dead(partition),
            keys.tally(partition),
            keys.bundles(partition),
        )
        groups = _groups(lines)
        told += (len(groups), *groups)
    words = ("EVALSHA", sha(keys.SETTLE), len(touched), *touched, *told)
    call: bytes = hiredis.pack_command(words)  # type: ignore[arg-type] # its stub knows tuples of one only
    [replies] = await in_one_trip(redis, [call])
    for reply in replies:
        if not isinstance(reply, int):
            raise ResponseError(reply.decode())
    return sum(replies)


def _groups(lines: Sequence[Outcome]) -> list[str | bytes | int]:
    """What SETTLE is told of one partition: outcomes that are alike are one group of ids."""
    groups: dict[tuple[str, bytes, tuple[str, str], int | None], list[Outcome]] = {}
    for n, line in enumerate(lines):
        which = (line.verb, line.note, line.tally, n if line.verb in ALONE else None)
        groups.setdefault(which, []).append(line)
    told: list[str | bytes | int] = []
    for (verb, note, tally, _), alike in groups.items():
        told += (verb, note, *tally, len(alike), *(line.event_id for line in alike))
        if verb in ALONE:
            told.append(alike[0].form)
    return told
