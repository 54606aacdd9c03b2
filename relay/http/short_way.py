"""A connection on which the usual post of an event takes a short way, past aiohttp's parser, request and task.

These cost several times what the event itself does. Here what comes is brought to be read and judged (`brought`), and
a usual post is answered when the queue has it, one at a time. All else goes on to aiohttp, byte for byte as it came.
aiohttp's parser begins at the beginning of a request only: when it is not known to be there, for a request whose end
nobody knows but it, all that follows on the connection is its own.
This leans on names of aiohttp's that are not promised (pyproject.toml bounds its version): the waiter of an idle
connection, the requests that wait for it, the time when it ends.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final

from aiohttp import web

from relay.http.brought import Brought, Found, Way
from relay.http.connections import KEPT_S, SenderConnection
from relay.http.framing import frame, rest_of
from relay.queue.once import Receipt
from relay.queue.waiting import UnavailableError

HELD_S: Final = 0.25  # the rest of a post comes at once; what stalls is for aiohttp to wait for
AHEAD_BYTES = 262_144  # of what a sender may write before he has read an answer
AHEAD_SEGMENTS = 64  # of these; all may go to aiohttp in one turn of the loop


class ShortWayConnection(SenderConnection):
    """What a sender writes before he has an answer is not looked at until then."""

    __slots__ = (
        "_ahead",
        "_ahead_bytes",
        "_brought",
        "_closes",
        "_done",
        "_found",
        "_held",
        "_held_bytes",
        "_held_since",
        "_held_until",
        "_is_far_ahead",
        "_post",
        "_rest",
        "_wanted",
        "_way",
        "peer",
    )

    def __init__(self, manager: web.Server, *, brought: Brought, **options: Any) -> None:
        super().__init__(manager, **options)
        self._brought = brought
        self.peer = ""
        self._post: list[bytes] | None = None
        """What was brought, in the pieces in which it came."""
        self._held: list[bytes] = []
        """What there is of a post, whose rest may be on its way."""
        self._held_bytes = 0
        self._wanted: int | None = None
        """How many bytes it will have."""
        self._held_since = 0.0
        self._held_until: asyncio.TimerHandle | None = None
        self._rest: int | None = 0
        """How many bytes of the request that aiohttp reads are to come; None: it alone knows."""
        self._way: Way[Any] | None = None
        self._found: Any = None
        self._done: asyncio.Future[None] | None = None
        self._closes = False
        """When what was brought is answered."""
        self._ahead: deque[bytes] = deque()
        self._ahead_bytes = 0
        """Of all segments since there was none."""
        self._is_far_ahead = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: a sender has connected."""
        super().connection_made(transport)
        peer = self.peername
        self.peer = str(peer[0] if isinstance(peer, (list, tuple)) else peer or "")  # as `Request.remote`

    def connection_lost(self, exc: BaseException | None) -> None:
        """Asyncio: it is gone."""
        if self._held:
            self._refused["incomplete"] += self._wanted is not None
            self._let_go()
        if self._waiter is not None and self._waiter.done() and self._task_handler is not None:
            self._task_handler.cancel()  # it would begin a request that was passed on just now, on what is gone
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Asyncio: bytes of a head or of a body."""
        if not data:  # aiohttp goes on with what it has
            super().data_received(data)
        elif self._post is not None:
            self._wait_behind(data)
        elif self._held:
            self._held.append(data)
            self._held_bytes += len(data)
            if self._wanted is None or self._held_bytes >= self._wanted:
                self._bring(self._let_go())
        elif self._rest == 0 and self._is_idle:
            self._bring([data])
        else:
            self._count_rest(data)
            super().data_received(data)

    def close(self) -> None:
        """aiohttp: the door stops; what was read before is answered."""
        if self._post is None:
            super().close()
        else:
            self._closes = True

    @property
    def _awaits_head(self) -> bool:
        return super()._awaits_head and not self._has_head

    @property
    def _has_head(self) -> bool:
        return self._post is not None or (bool(self._held) and self._wanted is not None)

    @property
    def _is_idle(self) -> bool:
        """Whether aiohttp's task waits for a request, or has not begun yet: on uvloop a first post comes before."""
        waiter = self._waiter
        waits = self._request_count == 0 if waiter is None else not waiter.done()
        return waits and not (self._messages or self._paused or self._close or self._force_close)

    def is_usual(self, way: Way[Found], found: Found) -> None:
        """`Poster`: it is being kept."""
        self._way, self._found = way, found
        self._held_since = 0.0
        self._request_count += 1
        self._head_came()

    def is_unusual(self, rest: int | None) -> None:
        """`Poster`: aiohttp answers it, and what came meanwhile."""
        self._pass_on(self._taken_back(), rest)
        if self._closes:
            super().close()
        self._finish()
        self._go_on()

    def is_part(self, size: int | None) -> None:
        """`Poster`: the rest has a moment to come."""
        if self._closes:
            self.has_failed()  # aiohttp would not wait for the rest, either
            return
        self._held, self._wanted = self._taken_back(), size
        self._held_bytes = sum(map(len, self._held))
        self._held_since = self._held_since or self._loop.time()
        self._held_until = self._loop.call_at(self._held_since + HELD_S, self._pass_on_held)
        self._go_on()

    def has_failed(self) -> None:
        """`Poster`: nobody will answer it."""
        self._post = None
        self._finish()
        self.force_close()

    def told(self, result: list[Receipt] | UnavailableError) -> None:
        """`Poster`: it is on disk, or may not be; its sender hears so, and what came meanwhile has its turn."""
        way, found, self._found = self._way, self._found, None
        if self._post is None or way is None:
            return
        self._post = None
        self._finish()
        if self.transport is None or self.transport.is_closing():
            return
        try:
            answer, last = way.answer(found, result if isinstance(result, UnavailableError) else None)
            self.transport.write(answer)
        except Exception:
            self.force_close()  # or he would take the next answer for this one
            raise
        if last or self._closes:
            self.force_close()
        else:
            self._go_on()

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - aiohttp's
        """aiohttp: the door stops; what is under way gets its answer before."""
        if self._post is not None:
            self._done = self._loop.create_future()
            await asyncio.wait({self._done}, timeout=timeout)
        await super().shutdown(timeout)

    def _bring(self, pieces: list[bytes]) -> None:
        self._post = pieces
        self._next_keepalive_close_time = self._loop.time() + KEPT_S
        self._brought.bring(self, pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def _taken_back(self) -> list[bytes]:
        pieces, self._post = self._post, None
        assert pieces is not None  # noqa: S101 - they were brought
        return pieces

    def _let_go(self) -> list[bytes]:
        pieces, self._held = self._held, []
        if self._held_until is not None:
            self._held_until.cancel()
        return pieces

    def _pass_on_held(self) -> None:
        self._pass_on(self._let_go(), None if self._wanted is None else self._wanted - self._held_bytes)

    def _pass_on(self, pieces: list[bytes], rest: int | None) -> None:
        """Give to aiohttp what came, what is odd as it came: of a segment that ends in an error it reads nothing."""
        self._held_since, self._rest = 0.0, rest
        for piece in pieces if rest is None else (b"".join(pieces),):
            if self.transport is not None:
                super().data_received(piece)

    def _count_rest(self, data: bytes) -> None:
        if self._rest == 0:
            self._rest = rest_of(frame(data), data)
        elif self._rest is not None:
            self._rest = self._rest - len(data) if self._rest >= len(data) else None

    def _finish(self) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(None)

    def _wait_behind(self, data: bytes) -> None:
        self._ahead.append(data)
        self._ahead_bytes += len(data)
        if self.transport is not None and (self._ahead_bytes > AHEAD_BYTES or len(self._ahead) > AHEAD_SEGMENTS):
            self._is_far_ahead = True
            self.transport.pause_reading()

    def _go_on(self) -> None:
        """Handle what came meanwhile."""
        if not self._ahead:
            return
        while self._ahead and self._post is None:
            self.data_received(self._ahead.popleft())
        if not self._ahead:
            self._ahead_bytes = 0
            is_aiohttps = self._reading_paused or self._buffer_paused  # it has paused as well, and will resume
            if self._is_far_ahead and self.transport is not None and not is_aiohttps:
                self.transport.resume_reading()
            self._is_far_ahead = False
