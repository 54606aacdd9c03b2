"""Walking through a stream, pending events or dead letters, without their bodies, and counting what is met.

Events are counted by the place where they are tallied; what cannot be read, and what lies where it does not belong,
is counted with the names of the first few.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from redis.asyncio import Redis

from relay.queue import looks
from relay.queue.parts import pending_of
from relay.queue.stored import BUNDLE, StoredEvent, UnreadableError, partition_of, unpack
from relay.queue.tallies import Place
from relay.rules.judge import DeadReason

PAGE: Final = 500  # entries a step
PAGE_BYTES: Final = 2_000_000  # of stored events a step, so that the server is kept for a millisecond or two only
FEW: Final = 5  # of what is wrong, so many are named

Head = tuple[str, StoredEvent | None, bytes]
"""An event without its body: id, event (None if it cannot be read), note."""


@dataclass(slots=True)
class Some:
    """How many there are, and the first few of them by name."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, name: str) -> None:
        """One more."""
        self.count += 1
        if len(self.first) < FEW:
            self.first.append(name)


@dataclass(slots=True)
class Walk:
    """What one walk through a stream met: readable entries by place, and the ids of those that are wrong."""

    partition: int
    partitions: int
    letters: bool = False
    places: Counter[Place] = field(default_factory=Counter)
    unreadable: Some = field(default_factory=Some)
    misplaced: Some = field(default_factory=Some)
    seen: int = 0

    def add(self, heads: Iterable[Head]) -> None:
        """Count these entries."""
        for entry_id, event, note in heads:
            self.seen += 1
            reason = _reason(note) if self.letters else ""
            if event is None or reason is None:
                self.unreadable.add(entry_id)
                continue
            if reason != DeadReason.UNREADABLE:  # who gave it up knew no place to count it at
                hour, site = event.tally
                self.places[int(hour), site] += 1
            if partition_of(event, self.partitions) != self.partition:
                self.misplaced.add(entry_id)


async def pages_of(redis: Redis, stream: str, bundles: str) -> AsyncIterator[list[Head]]:
    """All that is in the stream now, a page at a time; `bundles` is empty if that is one of dead letters."""
    newest: Any = await redis.xrevrange(stream, count=1)
    after, last = "-", newest[0][0].decode() if newest else "0"
    while flat := await redis.eval(looks.HEADS, 2, stream, bundles, after, last, str(PAGE), str(PAGE_BYTES)):  # type: ignore[misc]
        yield heads_in(flat, letters=not bundles)
        after = "(" + flat[-3].decode()


def heads_in(flat: list[bytes], *, letters: bool = False) -> list[Head]:
    """The entries in a script's flat answer, each pending event of a bundle apart.

    A letter that is a bundle was given up by an older worker, as one event that he could not read.
    """
    return [head for entry in zip(*[iter(flat)] * 3, strict=True) for head in _heads(*entry, letters=letters)]


def _heads(entry_id: bytes, form: bytes, note: bytes, *, letters: bool) -> Iterator[Head]:
    if form[:1] == BUNDLE and not letters:
        for event_id, found in pending_of(entry_id, form, note):
            yield event_id.decode(), None if isinstance(found, UnreadableError) else found, b""
        return
    try:
        event = unpack(form)
    except UnreadableError:
        event = None
    yield entry_id.decode(), event, note


def _reason(note: bytes) -> str | None:
    """Why a dead letter died; None if its note can't be read."""
    try:
        return str(orjson.loads(note)["reason"])
    except (ValueError, TypeError, KeyError):
        return None
