"""Posts that were brought on their short way: those that come at once are judged together, one after the other.

The rules' code is then in the processor's caches, and takes half the time that it takes between two readings of a
connection. What a post has to be to go on, how it is kept and what its sender is told, is its way's own: `usual`,
`usual_batch`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from relay.http.watch import Watch
from relay.queue.once import Receipt
from relay.queue.waiting import UnavailableError
from relay.rules.visitor import RawHeaders

log = logging.getLogger(__name__)

BYTES_AT_ONCE: Final = 65_536  # of bodies are judged in one go, a few milliseconds; then others have their turn

Answer = Callable[[UnavailableError | None], tuple[bytes, bool]]
"""What to tell the sender when his post is kept, or may not be: all bytes of it, and whether it is his last answer."""


class Poster(Protocol):
    """Whose post is whole, and may be usual. `peer`: the address of its connection."""

    peer: str

    def told(self, result: list[Receipt] | UnavailableError) -> None:
        """It is on disk, or may not be."""

    def is_usual(self, answer: Answer) -> None:
        """It is being kept."""

    def is_unusual(self) -> None:
        """Nothing of it was kept or counted: somebody else decides."""

    def has_failed(self) -> None:
        """Nobody will tell: its sender shall not wait."""


Keep = Callable[[Poster], None]
"""Keeps what was read of a post, and tells its poster."""


class Way(Protocol):
    """The short way of one kind of posts."""

    def read(self, peer: str, headers: RawHeaders, body: bytes, now_ms: int) -> Keep | None:
        """How to keep the post, None if it is unusual; until it is kept nothing of it is counted."""


@dataclass(slots=True)
class Brought:
    """The posts that wait for their judgement, and the ways that there are, by path."""

    watch: Watch
    ways: Mapping[str, Way]
    _came: deque[tuple[Way, Poster, RawHeaders, bytes]] = field(default_factory=deque)

    def bring(self, path: str, poster: Poster, headers: RawHeaders, body: bytes) -> None:
        """Judge the post soon: when all that can be read now has been read."""
        if not self._came:
            asyncio.get_running_loop().call_soon(self._judge)
        self._came.append((self.ways[path], poster, headers, body))

    def _judge(self) -> None:
        now_ms = time.time_ns() // 1_000_000
        closed = self.watch.draining or self.watch.over
        judged: list[tuple[Poster, Keep | None]] = []
        size = 0
        while self._came and size < BYTES_AT_ONCE:
            way, poster, headers, body = self._came.popleft()
            size += len(body)
            judged.append((poster, None if closed else _read(way, poster, headers, body, now_ms)))
        if self._came:
            asyncio.get_running_loop().call_soon(self._judge)
        for poster, keep in judged:
            try:
                if keep is None:
                    poster.is_unusual()
                else:
                    keep(poster)
            except Exception:
                log.exception("a post was not kept")
                poster.has_failed()


def _read(way: Way, poster: Poster, headers: RawHeaders, body: bytes, now_ms: int) -> Keep | None:
    try:
        return way.read(poster.peer, headers, body, now_ms)
    except Exception:
        log.exception("a post was not judged")  # the others are, and this one once more
        return None
