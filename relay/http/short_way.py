"""A connection on which the usual post of an event takes a short way: parsed by aiohttp, and answered without its task.

aiohttp makes a request, a task and an answer of objects for each post, which costs several times what the event itself
does. Here a post is judged (`brought`) when the last of its bytes are there, and answered when the queue has it, one at
a time. Whatever is unusual goes on as aiohttp would have it, untouched.
This leans on aiohttp's own names that are not promised (pyproject.toml bounds its version): its parser's messages, the
waiter of an idle connection, the pieces of a body.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any, Final, Protocol

from aiohttp import HttpVersion, HttpVersion11, StreamReader, web
from aiohttp.http import HttpProcessingError

from relay.http.brought import Brought, Found, Way
from relay.http.connections import KEPT_S, SenderConnection
from relay.queue.once import Receipt
from relay.queue.waiting import UnavailableError
from relay.rules.visitor import RawHeaders

SHORT_BYTES: Final = 65_536  # of a body; larger ones may stop the reading, which is for aiohttp to undo
LENGTH_DIGITS: Final = 9  # with more it is no usual post; of 4,301 digits, zeros in front, Python makes no number
HELD_S: Final = 0.25  # a body that comes apart from its head comes at once; what stalls is for aiohttp to wait for
AHEAD_BYTES = 262_144  # of what a sender may write before he has read an answer
AHEAD_SEGMENTS = 1_000  # of these


class Message(Protocol):
    """What of aiohttp's parsed head is looked at here."""

    method: str
    path: str
    headers: Mapping[str, str]
    raw_headers: RawHeaders
    version: HttpVersion
    should_close: bool
    upgrade: bool


Request = tuple[Message, StreamReader]


class ShortWayConnection(SenderConnection):
    """What a sender writes before he has an answer is not looked at, or, if it is parsed already, waits behind."""

    __slots__ = (
        "_ahead",
        "_ahead_bytes",
        "_behind",
        "_brought",
        "_done",
        "_found",
        "_held",
        "_held_until",
        "_is_far_ahead",
        "_post",
        "_way",
        "peer",
    )

    def __init__(self, manager: web.Server, *, brought: Brought, **options: Any) -> None:
        super().__init__(manager, **options)
        self._brought = brought
        self.peer = ""
        self._held: Request | None = None
        self._held_until: asyncio.TimerHandle | None = None
        self._post: Request | None = None
        self._way: Way[Any] | None = None
        self._found: Any = None
        self._done: asyncio.Future[None] | None = None
        self._behind: list[Request] = []
        self._ahead: deque[bytes] = deque()
        self._ahead_bytes = 0
        """Of all segments since there was none."""
        self._is_far_ahead = False
        self._parser: Any = _Parser(self._parser, self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: a sender has connected."""
        super().connection_made(transport)
        peer = self.peername
        self.peer = str(peer[0] if isinstance(peer, (list, tuple)) else peer or "")  # as `Request.remote`

    def connection_lost(self, exc: BaseException | None) -> None:
        """Asyncio: it is gone."""
        if self._held is not None:
            self._let_go()
            self._refused["incomplete"] += 1
        if self._waiter is not None and self._waiter.done() and self._task_handler is not None:
            self._task_handler.cancel()  # it would begin a request that was passed on just now, on what is gone
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Asyncio: bytes of a head or of a body."""
        if self._post is None:
            super().data_received(data)
            return
        self._ahead.append(data)
        self._ahead_bytes += len(data)
        if self.transport is not None and (self._ahead_bytes > AHEAD_BYTES or len(self._ahead) > AHEAD_SEGMENTS):
            self._is_far_ahead = True
            self.transport.pause_reading()

    @property
    def is_busy(self) -> bool:
        """Whether a request is on its short way."""
        return self._post is not None or self._held is not None

    @property
    def _awaits_head(self) -> bool:
        return super()._awaits_head and not self.is_busy

    def take(self, messages: list[Request]) -> list[Request]:
        """Take what can go the short way; returns the rest, which is for aiohttp now."""
        if self.is_busy:
            self._behind += messages
            return []
        if len(messages) != 1 or not self._is_idle or self._messages or self._paused:
            return messages
        (request,) = messages
        message, payload = request
        if not (message.path in self._brought.ways and _is_post(message)):
            return messages
        if not payload.is_eof():
            if not _comes_soon(message):
                return messages
            self._hold(request)
        elif not self._bring(request):
            return messages
        self._request_count += 1
        return []

    @property
    def _is_idle(self) -> bool:
        """Whether aiohttp's task waits for a request, or has not begun yet: on uvloop a first post comes before."""
        waiter = self._waiter
        return self._request_count == 0 if waiter is None else not waiter.done()

    def _bring(self, request: Request) -> bool:
        message, payload = request
        if not 0 < payload.total_bytes <= SHORT_BYTES:
            return False
        self._next_keepalive_close_time = self._loop.time() + KEPT_S
        self._post = request
        body = b"".join(payload._buffer)  # noqa: SLF001
        self._brought.bring(message.path, self, message.raw_headers, body)
        return True

    def is_usual(self, way: Way[Found], found: Found) -> None:
        """`Poster`: it is being kept."""
        self._way, self._found = way, found
        if self._parser is not None:  # as it is when the sender is gone
            self._parser.message_consumed()

    def is_unusual(self) -> None:
        """`Poster`: aiohttp answers it, and what came meanwhile."""
        request, self._post = self._post, None
        assert request is not None  # noqa: S101 - it was brought
        self._finish()
        if self.transport is not None:
            self._pass_on([request])
            self._go_on()

    def _hold(self, request: Request) -> None:
        self._held = request
        self._held_until = self._loop.call_later(HELD_S, self._pass_on_held)
        self._next_keepalive_close_time = self._loop.time() + KEPT_S
        request[1].on_eof(self._body_came)

    def _let_go(self) -> Request:
        request, self._held = self._held, None
        if self._held_until is not None:
            self._held_until.cancel()
        assert request is not None  # noqa: S101 - each caller has looked
        return request

    def _body_came(self) -> None:
        if self._held is not None and not self._bring(request := self._let_go()):
            self._pass_on([request])

    def _pass_on_held(self) -> None:
        self._pass_on([self._let_go()])

    def _pass_on(self, requests: list[Request]) -> None:
        """Give requests to aiohttp."""
        self._messages.extend(requests)  # type: ignore[arg-type] # it has its own name for a head
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

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
        if last:
            self.force_close()
        else:
            self._go_on()

    def _finish(self) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(None)

    def _go_on(self) -> None:
        """Handle what came meanwhile, each segment by itself: of one that ends in an error aiohttp reads nothing."""
        if not (self._behind or self._ahead or self._parser.error is not None):
            return
        behind, self._behind = self._behind, []
        if behind:
            self._request_count += len(behind)
            self._pass_on(behind)
        if self._parser.error is not None:
            super().data_received(b"")
        while self._ahead and self._post is None:
            super().data_received(self._ahead.popleft())
        if not self._ahead:
            self._ahead_bytes = 0
            if self._is_far_ahead and self.transport is not None:
                self.transport.resume_reading()
            self._is_far_ahead = False

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - aiohttp's
        """aiohttp: the door stops; what is under way gets its answer before."""
        if self._post is not None:
            self._done = self._loop.create_future()
            await asyncio.wait({self._done}, timeout=timeout)
        await super().shutdown(timeout)


def _is_post(message: Message) -> bool:
    return (
        message.method == "POST" and message.version == HttpVersion11 and not (message.should_close or message.upgrade)
    )


def _comes_soon(message: Message) -> bool:
    """Whether a short body is on its way that nobody has to ask for."""
    length = message.headers.get("Content-Length", "")
    if not length.isdecimal() or len(length) > LENGTH_DIGITS:
        return False
    return int(length) <= SHORT_BYTES and "Expect" not in message.headers


class _Parser:
    """aiohttp's parser of a connection; what it has parsed goes through `take`. An error waits for its turn, too."""

    def __init__(self, parser: Any, connection: ShortWayConnection) -> None:
        self._parser = parser
        self._connection = connection
        self._feed_data = parser.feed_data
        self.message_consumed = parser.message_consumed
        self.error: HttpProcessingError | None = None

    def feed_data(self, data: bytes) -> tuple[list[Request], bool, bytes]:
        """aiohttp: parse; returns the requests that are to be handled."""
        if self.error is not None:
            raise self.error
        try:
            messages, upgraded, tail = self._feed_data(data)
        except HttpProcessingError as error:
            if not self._connection.is_busy:
                raise
            self.error = error
            return [], False, b""
        if messages:
            messages = self._connection.take(messages)
        return messages, upgraded, tail

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)
