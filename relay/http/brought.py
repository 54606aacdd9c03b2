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
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from relay.http.watch import Watch
from relay.queue.once import Receipt
from relay.queue.waiting import UnavailableError
from relay.rules.visitor import RawHeaders

log = logging.getLogger(__name__)

BYTES_AT_ONCE: Final = 65_536  # of bodies are judged in one go, a few milliseconds; then others have their turn

Found = TypeVar("Found")
"""What a way has read of a usual post."""


class Poster(Protocol):
    """Whose post is whole, and may be usual. `peer`: the address of its connection."""

    peer: str

    def told(self, result: list[Receipt] | UnavailableError) -> None:
        """It is on disk, or may not be."""

    def is_usual(self, way: Way[Found], found: Found) -> None:
        """It is being kept; the way knows the answer."""

    def is_unusual(self) -> None:
        """Nothing of it was kept or counted: somebody else decides."""

    def has_failed(self) -> None:
        """Nobody will tell: its sender shall not wait."""


class Way(Protocol[Found]):
    """The short way of one kind of posts."""

    def read(self, peer: str, headers: RawHeaders, body: bytes, now_ms: int) -> Found | None:
        """What is to be kept of a post, None if it is unusual; nothing of it is counted yet."""

    def keep(self, found: Found, poster: Poster) -> None:
        """Keep it, and tell the poster."""

    def answer(self, found: Found, error: UnavailableError | None) -> tuple[bytes, bool]:
        """What to tell the sender when it is kept, or may not be: all bytes, and whether they are his last answer."""


@dataclass(slots=True)
class Brought:
    """The posts that wait for their judgement, and the ways that there are, by path."""

    watch: Watch
    ways: Mapping[str, Way[Any]]
    _came: deque[tuple[Way[Any], Poster, RawHeaders, bytes]] = field(default_factory=deque)

    def bring(self, path: str, poster: Poster, headers: RawHeaders, body: bytes) -> None:
        """Judge the post soon: when all that can be read now has been read."""
        if not self._came:
            asyncio.get_running_loop().call_soon(self._judge)
        self._came.append((self.ways[path], poster, headers, body))

    def _judge(self) -> None:
        now_ms = time.time_ns() // 1_000_000
        closed = self.watch.draining or self.watch.over
        judged: list[tuple[Way[Any], Poster, Any]] = []
        size = 0
        while self._came and size < BYTES_AT_ONCE:
            way, poster, headers, body = self._came.popleft()
            size += len(body)
            try:
                judged.append((way, poster, None if closed else way.read(poster.peer, headers, body, now_ms)))
            except Exception:
                log.exception("a post was not judged")  # the others are, and this one once more
                judged.append((way, poster, None))
        if self._came:
            asyncio.get_running_loop().call_soon(self._judge)
        for way, poster, found in judged:
            try:
                if found is None:
                    poster.is_unusual()
                else:
                    way.keep(found, poster)
            except Exception:
                log.exception("a post was not kept")
                poster.has_failed()
