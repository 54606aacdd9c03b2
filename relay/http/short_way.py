"""A connection on which the usual post of an event takes a short way: parsed by aiohttp, and answered without its task.

aiohttp makes a request, a task and an answer of objects for each post, which costs several times what the event itself
does. Here a post is judged where the last of its bytes arrive, and answered when the queue has it, one at a time.
Whatever is unusual goes on as aiohttp would have it, untouched. This leans on aiohttp's own names that are not promised
(pyproject.toml bounds its version): its parser's messages, the waiter of an idle connection, the pieces of a body.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, Protocol

from aiohttp import HttpVersion, HttpVersion11, StreamReader, web
from aiohttp.http import HttpProcessingError

from relay.http.connections import KEPT_S, SenderConnection
from relay.http.usual import Head, Keeping, Usual

PATH: Final = "/api/event"
SHORT_BYTES: Final = 65_536  # of a body; larger ones may stop the reading, which is for aiohttp to undo
LENGTH_DIGITS: Final = 9  # with more it is no usual post; of 4,301 digits, zeros in front, Python makes no number
HELD_S: Final = 0.25  # a body that comes apart from its head comes at once; what stalls is for aiohttp to wait for
AHEAD_BYTES: Final = 262_144  # of what a sender may write before he has read an answer


class Message(Head, Protocol):
    """What of aiohttp's parsed head is looked at here."""

    method: str
    path: str
    version: HttpVersion
    should_close: bool
    upgrade: bool


Request = tuple[Message, StreamReader]


class ShortWayConnection(SenderConnection):
    """What a sender writes before he has an answer is not looked at, or, if it is parsed already, waits behind."""

    __slots__ = ("_ahead", "_behind", "_held", "_held_until", "_keeping", "_peer", "_usual")

    def __init__(self, manager: web.Server, *, usual: Usual, **options: Any) -> None:
        super().__init__(manager, **options)
        self._usual = usual
        self._peer = ""
        self._held: Request | None = None
        self._held_until: asyncio.TimerHandle | None = None
        self._keeping: Keeping | None = None
        self._behind: list[Request] = []
        self._ahead = bytearray()
        self._parser: Any = _Parser(self._parser, self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: a sender has connected."""
        super().connection_made(transport)
        peer = self.peername
        self._peer = str(peer[0] if isinstance(peer, (list, tuple)) else peer or "")  # as `Request.remote`

    def connection_lost(self, exc: BaseException | None) -> None:
        """Asyncio: it is gone."""
        if self._held is not None:
            self._let_go()
            self._refused["incomplete"] += 1
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Asyncio: bytes of a head or of a body."""
        if self._keeping is None:
            super().data_received(data)
            return
        self._ahead += data
        if len(self._ahead) > AHEAD_BYTES and self.transport is not None:
            self.transport.pause_reading()

    @property
    def is_busy(self) -> bool:
        """Whether a request is on its short way."""
        return self._keeping is not None or self._held is not None

    @property
    def _awaits_head(self) -> bool:
        return super()._awaits_head and not self.is_busy

    def take(self, messages: list[Request]) -> list[Request]:
        """Take what can go the short way; returns the rest, which is for aiohttp now."""
        if self.is_busy:
            self._behind += messages
            return []
        if len(messages) != 1:
            return messages
        (request,) = messages
        message, payload = request
        if not (self._is_idle and _is_post(message)):
            return messages
        if not payload.is_eof():
            if not _comes_soon(message):
                return messages
            self._hold(request)
        elif not self._begin(request):
            return messages
        self._request_count += 1
        return []

    @property
    def _is_idle(self) -> bool:
        """Whether aiohttp waits for a request, and the sender has taken all answers."""
        waiter = self._waiter
        return waiter is not None and not waiter.done() and not self._messages and not self._paused

    def _begin(self, request: Request) -> bool:
        message, payload = request
        if not 0 < payload.total_bytes <= SHORT_BYTES:
            return False
        kept = self._usual.begin(self._peer, message, b"".join(payload._buffer))  # noqa: SLF001
        if kept is None:
            return False
        self._parser.taken += 1
        self._next_keepalive_close_time = self._loop.time() + KEPT_S
        self._keeping = kept
        kept.done.add_done_callback(self._answer)
        return True

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
        if self._held is not None and not self._begin(self._held):
            self._pass_on_held()
        elif self._held is not None:
            self._let_go()

    def _pass_on_held(self) -> None:
        self._pass_on([self._let_go()])

    def _pass_on(self, requests: list[Request]) -> None:
        """Give requests to aiohttp."""
        self._messages.extend(requests)  # type: ignore[arg-type] # it has its own name for a head
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _answer(self, _: object) -> None:
        kept, self._keeping = self._keeping, None
        assert kept is not None  # noqa: S101 - one at a time
        answer, last = self._usual.answer(kept)
        if self.transport is None or self.transport.is_closing():
            return
        self._next_keepalive_close_time = self._loop.time() + KEPT_S
        self.transport.write(answer)
        if last:
            self.force_close()
        elif self._behind or self._ahead or self._parser.error is not None:
            self._go_on()

    def _go_on(self) -> None:
        """Handle what came meanwhile."""
        behind, self._behind = self._behind, []
        ahead = bytes(self._ahead)
        self._ahead.clear()
        if behind:
            self._request_count += len(behind)
            self._pass_on(behind)
        if len(ahead) > AHEAD_BYTES and self.transport is not None:
            self.transport.resume_reading()
        self.data_received(ahead)

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - aiohttp's
        """aiohttp: the door stops; what is under way gets its answer before."""
        if self._keeping is not None:
            await asyncio.wait({self._keeping.done}, timeout=timeout)
        await super().shutdown(timeout)


def _is_post(message: Message) -> bool:
    return (
        message.path == PATH
        and message.method == "POST"
        and message.version == HttpVersion11
        and not (message.should_close or message.upgrade)
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
        self.taken = 0
        """Requests that nobody has told the parser yet that they are handled; it stops at some number of them."""
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
        while self.taken:
            self.taken -= 1
            self._parser.message_consumed()
        return messages, upgraded, tail

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)
