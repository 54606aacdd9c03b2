"""Dead letters: events that were given up, kept with the reason until an operator sends or purges them.

A letter's name is `<partition>:<entry id>`. Reading is in chunks, so that a million letters do no harm.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson
from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.stored import StoredEvent, UnreadableError, unpack
from relay.rules.judge import DeadReason

CHUNK = 100  # letters at a time, each of up to a megabyte


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter. `event` is None if its stored `form` cannot be read; times are Unix ms."""

    name: str
    died_ms: int
    reason: str
    detail: str
    attempts: int
    first_failed_ms: int | None
    event: StoredEvent | None
    form: bytes = b""

    @property
    def partition(self) -> int:
        """Where it is kept."""
        return int(self.name.partition(":")[0])

    @property
    def entry_id(self) -> str:
        """Its id in the stream of dead letters."""
        return self.name.partition(":")[2]

    @property
    def tally(self) -> tuple[str, str]:
        """Where the event is counted as dead beside the ledger; empty if whoever gave it up could not read it."""
        return ("", "") if self.event is None or self.reason == DeadReason.UNREADABLE else self.event.tally


@dataclass(frozen=True, slots=True)
class Which:
    """Which letters are meant; what is None does not matter. Ages are in seconds since the event died."""

    names: frozenset[str] = frozenset()
    site: str | None = None
    reason: str | None = None
    older_than_s: float | None = None
    newer_than_s: float | None = None

    def matches(self, letter: DeadLetter, now_ms: int) -> bool:
        """Whether `letter` is meant."""
        age_s = (now_ms - letter.died_ms) / 1_000
        return (
            (not self.names or letter.name in self.names)
            and (self.site is None or (letter.event is not None and letter.event.site == self.site))
            and (self.reason is None or letter.reason == self.reason)
            and (self.older_than_s is None or age_s >= self.older_than_s)
            and (self.newer_than_s is None or age_s < self.newer_than_s)
        )


def dead_note(reason: str, detail: str, attempts: int, first_failed_ms: int | None) -> bytes:
    """What `settle` keeps beside a dead event."""
    return orjson.dumps({"reason": reason, "detail": detail, "attempts": attempts, "first_failed_ms": first_failed_ms})


async def find(redis: Redis, partitions: int, which: Which) -> AsyncIterator[DeadLetter]:
    """The letters that are meant, partition by partition, oldest first.

    One that comes after the look began is not among them, or a retry of events that Plausible refuses at once would
    go round for ever.
    """
    seconds, micros = await redis.time()
    now_ms = seconds * 1_000 + micros // 1_000
    if which.names:
        async for letter in _named(redis, which.names):
            if which.matches(letter, now_ms):
                yield letter
        return
    newest = [await _last_id(redis, partition) for partition in range(partitions)]
    for partition, last in enumerate(newest):
        after = "-"
        while chunk := await _read(redis, partition, after, last):
            after = "(" + chunk[-1].entry_id
            for letter in chunk:
                if which.matches(letter, now_ms):
                    yield letter


async def chunks(redis: Redis, partitions: int, which: Which, size: int) -> AsyncIterator[tuple[int, list[DeadLetter]]]:
    """The letters that are meant, at most `size` of one partition at a time."""
    chunk: list[DeadLetter] = []
    at = 0
    async for letter in find(redis, partitions, which):
        if chunk and (letter.partition != at or len(chunk) == size):
            yield at, chunk
            chunk = []
        at = letter.partition
        chunk.append(letter)
    if chunk:
        yield at, chunk


async def purge(redis: Redis, partitions: int, which: Which) -> int:
    """Remove the letters that are meant for good; returns how many. The ledger goes on counting them as dead."""
    gone = 0
    async for partition, chunk in chunks(redis, partitions, which, CHUNK):
        ids = [letter.entry_id for letter in chunk]
        gone += await redis.eval(keys.PURGE, 2, keys.ledger(partition), keys.dead(partition), *ids)  # type: ignore[misc]
    return gone


async def retain(redis: Redis, partitions: int, *, keep_s: float, keep_count: int) -> int:
    """Remove letters beyond the age and number that are kept; returns how many."""
    seconds, _ = await redis.time()
    oldest = str(max(0, int((seconds - keep_s) * 1_000)))
    each = str(max(1, keep_count // partitions))
    gone = 0
    for partition in range(partitions):
        touched = (keys.ledger(partition), keys.dead(partition))
        gone += await redis.eval(keys.RETAIN, len(touched), *touched, oldest, each)  # type: ignore[misc]
    return gone


async def _named(redis: Redis, names: frozenset[str]) -> AsyncIterator[DeadLetter]:
    """The letters of these names; names that are none are passed over."""
    for name in sorted(names):
        if found := re.fullmatch(r"(\d{1,4}):(\d{1,20}-\d{1,20})", name):
            entries: Any = await redis.xrange(keys.dead(int(found[1])), found[2], found[2])
            for entry_id, fields in entries:
                yield _letter(int(found[1]), entry_id, fields)


async def _last_id(redis: Redis, partition: int) -> bytes:
    newest: Any = await redis.xrevrange(keys.dead(partition), count=1)
    return newest[0][0] if newest else b"0"


async def _read(redis: Redis, partition: int, after: str, last: bytes) -> list[DeadLetter]:
    entries: Any = await redis.xrange(keys.dead(partition), after, last, count=CHUNK)
    return [_letter(partition, entry_id, fields) for entry_id, fields in entries]


def _letter(partition: int, entry_id: bytes, fields: dict[bytes, bytes]) -> DeadLetter:
    form = fields.get(b"e", b"")
    note = _note(fields.get(b"n", b""))
    try:
        event = unpack(form)
    except UnreadableError:
        event = None
    return DeadLetter(
        name=f"{partition}:{entry_id.decode()}",
        died_ms=int(entry_id.partition(b"-")[0]),
        reason=note["reason"],
        detail=note["detail"],
        attempts=note["attempts"],
        first_failed_ms=note["first_failed_ms"],
        event=event,
        form=form,
    )


def _note(text: bytes) -> dict[str, Any]:
    """Why it died; a damaged note is as good as none, and its letter can still be looked at, exported and purged."""
    note: dict[str, Any] = {
        "reason": str(DeadReason.UNREADABLE), "detail": "its note is damaged", "attempts": 0, "first_failed_ms": None
    }  # fmt: skip
    with contextlib.suppress(ValueError, TypeError):
        note |= orjson.loads(text)
    return note
