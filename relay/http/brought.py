"""Posts that were brought on their short way: those that come at once are read and judged together.

The code for it is then in the processor's caches, and takes half the time that it takes between two readings of a
connection. What a post has to be to go on, how it is kept and what its sender is told, is its way's own: `usual`,
`usual_batch`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from relay.http.framing import Framed, frame, may_become_post, rest_of
from relay.http.watch import Watch
from relay.queue.once import Receipt
from relay.queue.waiting import UnavailableError

log = logging.getLogger(__name__)

BYTES_AT_ONCE: Final = 65_536  # are judged in one go, a few milliseconds; then others have their turn
POSTS_AT_ONCE: Final = 64  # as a refused one takes a tenth of a millisecond, however short it is

Found = TypeVar("Found")
"""What a way has read of a usual post."""


class Post(NamedTuple):
    """A whole post, who brought it, its peer's address, what its head says, its body."""

    poster: Poster
    peer: str
    head: Framed
    body: bytes


class Poster(Protocol):
    """Who has brought bytes that may be a usual post. `peer`: the address of the connection."""

    peer: str

    def told(self, result: list[Receipt] | UnavailableError) -> None:
        """It is on disk, or may not be."""

    def is_usual(self, way: Way[Found], found: Found) -> None:
        """It is being kept; the way knows the answer."""

    def is_unusual(self, rest: int | None) -> None:
        """Nothing of it was kept or counted: somebody else decides.

        `rest`: so many bytes of the request are to come; None if nobody knows where it ends.
        """

    def is_part(self, size: int | None) -> None:
        """It will have so many bytes, or more than it has, and may be a usual post then."""

    def has_failed(self) -> None:
        """Nobody will tell: its sender shall not wait."""


class Way(Protocol[Found]):
    """The short way of one kind of posts."""

    def read(self, posts: Sequence[Post], now_ms: int) -> Sequence[Found | None]:
        """What is to be kept of each post, None if it is unusual; nothing of it is counted yet."""

    def keep(self, found: Found, poster: Poster) -> None:
        """Keep it, and tell the poster."""

    def answer(self, found: Found, error: UnavailableError | None) -> tuple[bytes, bool]:
        """What to tell the sender when it is kept, or may not be: all bytes, and whether they are his last answer."""


@dataclass(slots=True)
class Brought:
    """What waits for its judgement, and the ways that there are, by path."""

    watch: Watch
    ways: Mapping[str, Way[Any]]
    _came: deque[tuple[Poster, bytes]] = field(default_factory=deque)

    def bring(self, poster: Poster, segment: bytes) -> None:
        """Judge the bytes soon: when all that can be read now has been read."""
        if not self._came:
            asyncio.get_running_loop().call_soon(self._judge)
        self._came.append((poster, segment))

    def _judge(self) -> None:
        posts: dict[str, list[Post]] = {}
        size = count = 0
        while self._came and size < BYTES_AT_ONCE and count < POSTS_AT_ONCE:
            poster, segment = self._came.popleft()
            size += len(segment)
            count += 1
            framed = frame(segment)
            if framed is not None and framed.path is not None and framed.size == len(segment):
                post = Post(poster, poster.peer, framed, segment[framed.body_at :])
                posts.setdefault(framed.path, []).append(post)
            else:
                _pass_on(poster, segment, framed)
        if self._came:
            asyncio.get_running_loop().call_soon(self._judge)
        now_ms = time.time_ns() // 1_000_000
        for path, some in posts.items():
            self._judge_posts(self.ways[path], some, now_ms)

    def _judge_posts(self, way: Way[Any], posts: Sequence[Post], now_ms: int) -> None:
        all_found: Sequence[Any] = [None] * len(posts)
        if not (self.watch.draining or self.watch.over):
            try:
                all_found = way.read(posts, now_ms)
            except Exception:
                log.exception("posts were not judged")  # each of them is once more, by itself
        for post, found in zip(posts, all_found, strict=True):
            try:
                if found is None:
                    post.poster.is_unusual(0)
                else:
                    way.keep(found, post.poster)
            except Exception:
                log.exception("a post was not kept")
                post.poster.has_failed()


def _pass_on(poster: Poster, segment: bytes, framed: Framed | None) -> None:
    """What is no whole post, and may be a part of one."""
    rest = rest_of(framed, segment)
    try:
        if framed is None and may_become_post(segment):
            poster.is_part(None)
        elif framed is not None and framed.path is not None and rest:
            poster.is_part(framed.size)
        else:
            poster.is_unusual(rest)
    except Exception:
        log.exception("a request was not passed on")  # the others are
        poster.has_failed()
