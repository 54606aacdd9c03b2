"""One connection of a sender, below requests: what is no HTTP is told so, and who neither sends nor reads is cut off.

aiohttp parses; here is only what it leaves out: limits for heads that stall and for answers that nobody takes, and
answers to what it cannot read that a browser may read and that quote nobody's headers into the log.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import struct
from collections import Counter
from typing import Any, Final, cast

import orjson
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from relay.http.cors import ANY_ANSWER

log = logging.getLogger(__name__)

HEAD_WITHIN_S = 10.0  # from the first byte of a head to its end; a new connection has as long for its first request
TAKEN_WITHIN_S = 15.0  # an answer, once it stalls; else a connection that nobody reads stays until its sender ends it
LINGER_S = 5.0  # for who is refused amid his body and still writes, to read why; as nginx, and half of aiohttp's
KEPT_S = 75.0  # idle; longer than the 60 s of the load balancers before it, who must not write into a closing one
AT_ONCE: Final = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time
OPEN_FILES: Final = 65_536
SERVER: Final = "plausible-relay"  # whoever asks learns what answers, and not which versions it runs on


class SenderConnection(RequestHandler):
    """aiohttp's connection with those limits. `refused` counts, by reason, what ends here."""

    __slots__ = ("_head_limit", "_refused", "_taken_limit")

    def __init__(self, manager: web.Server, *, refused: Counter[str], **options: Any) -> None:
        super().__init__(manager, **options)
        self._refused = refused
        self._head_limit: asyncio.TimerHandle | None = None
        self._taken_limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: a sender has connected."""
        super().connection_made(transport)
        cast("asyncio.Transport", transport).set_write_buffer_limits(high=0)  # so that whatever stalls is told to us
        self._await_head(begun=False)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Asyncio: it is gone."""
        self._head_came()
        self._answer_taken()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Asyncio: the sender does not take what was written."""
        super().pause_writing()
        if self.transport is not None:
            self._taken_limit = asyncio.get_running_loop().call_later(TAKEN_WITHIN_S, _throw_away, self.transport)

    def resume_writing(self) -> None:
        """Asyncio: he has taken all of it."""
        self._answer_taken()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Asyncio: bytes of a head or of a body."""
        before = self._request_count
        super().data_received(data)
        if self._request_count > before:
            self._head_came()
        elif self._awaits_head:
            self._await_head(begun=True)

    @property
    def _awaits_head(self) -> bool:
        """Whether no request is in hand, nor given to the task that waits for one: then bytes are those of a head."""
        return self._waiter is not None and not self._waiter.done()

    @property
    def _has_head(self) -> bool:
        """Whether a request's head was read that nobody has counted yet."""
        return False

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """aiohttp: answer a request that could not be read, or whose handler failed; the connection ends with it."""
        if status >= 500:  # noqa: PLR2004 - a failure of ours, told as aiohttp tells it
            answer = super().handle_error(request, status, exc, message)
        else:
            self._refused["malformed"] += 1
            log.debug("a request is no HTTP: %s", type(exc).__name__)
            if request.writer.output_size > 0:
                raise ConnectionError("an answer has begun")
            why = (message or "").strip().partition("\n")[0].rstrip(":. ")
            told = {"errors": {"request": [f"this is no HTTP request that can be read: {why or 'it is malformed'}"]}}
            answer = web.Response(status=status, body=orjson.dumps(told), content_type="application/json")
            answer.force_close()
        answer.headers.update(ANY_ANSWER | {"Server": SERVER})
        return answer

    def _await_head(self, *, begun: bool) -> None:
        """Start the limit, unless it runs."""
        if self._head_limit is None or not begun:
            self._head_limit = asyncio.get_running_loop().call_later(HEAD_WITHIN_S, self._cut_off)

    def _head_came(self) -> None:
        if self._head_limit is not None:
            self._head_limit.cancel()
            self._head_limit = None

    def _answer_taken(self) -> None:
        if self._taken_limit is not None:
            self._taken_limit.cancel()
            self._taken_limit = None

    def _cut_off(self) -> None:
        """No answer: a browser opens connections in advance, and would take one for that of its next request."""
        self._head_limit = None
        if self._awaits_head or (self._request_count == 0 and not self._has_head):
            self.force_close()


def _throw_away(transport: asyncio.Transport) -> None:
    """To close would wait for the sender, and to abort would leave what was written to the system, for minutes."""
    connected = transport.get_extra_info("socket")
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    transport.abort()


def allow_many_connections() -> None:
    """Take as many file handles as the system allows: its first limit, often 1,024, is one burst of idle senders."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
