"""One HTTP/1.1 connection to Plausible, with at most one request on it; parsing is httptools'.

It knows what a general client hides and a delivery must know: whether the request was written whole when
the connection broke, for then it may have been counted. It never retries and knows no verdicts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import Final, cast

import httptools

from relay.rules.judge import NoAnswer, Reply, Trouble

IDLE_S: Final = 4.0  # shorter than the 5 s after which Node's servers, the shortest known, close a kept connection
HEAD_LIMIT: Final = 65_536  # of an answer, with its interim ones; servers and proxies send some hundred bytes
COMMON_TEXT: Final = 16  # `ok` and the like
TEXT_LIMIT: Final = 4_096  # more of an answer's body than this is nobody's interest

OnAnswer = Callable[[Reply | NoAnswer | None], None]


class Connection(asyncio.Protocol):
    """One connection to Plausible. `on_end` is told of each request's end, just before who waits for the answer is."""

    def __init__(self, on_end: Callable[[Connection], None]) -> None:
        self.loop = asyncio.get_running_loop()  # to ask for it at each request is a system call
        self.transport: asyncio.Transport | None = None
        self.reusable = False
        self.idle_s = IDLE_S
        self.due_s = 0.0
        """When to give up the request or, without one, to retire; the client's to keep, in its loop's time."""
        self._on_end = on_end
        self._on_answer: OnAnswer | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._written_whole = True
        self._begin()

    def _begin(self) -> None:
        self._answer: Reply | NoAnswer | None = None
        self._dropped = 0
        self._retry_after: str | None = None
        self._text = b""
        self._headers_done = False
        self._before_body = 0

    @property
    def busy(self) -> bool:
        """Whether somebody waits for an answer."""
        return self._on_answer is not None

    def request(self, data: bytes, on_answer: OnAnswer) -> None:
        """Write a request; `on_answer` is called later, once, with the answer or why there is none."""
        assert self.transport is not None  # noqa: S101 - connection_made comes before any request
        self._begin()
        self.reusable = False
        self._on_answer = on_answer
        self.transport.write(data)

    def give_up(self, detail: str) -> None:
        """End the request without an answer and the connection with it; an answer whose head came stands."""
        if self._answer is None:
            if self._headers_done and self._parser.get_status_code() >= 200:  # noqa: PLR2004 - final, RFC 9110 15.2
                self._answer = self._reply()
            else:
                trouble = Trouble.UNANSWERED if self._written_whole else Trouble.BROKEN
                self._answer = NoAnswer(trouble, detail)
        self.close()
        self._end(self._answer)

    def close(self) -> None:
        """Drop the connection at once."""
        self.reusable = False
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: the connection stands. A buffer of size 0 lets pause/resume tell when all is written."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self.transport.set_write_buffer_limits(high=0)

    def pause_writing(self) -> None:
        """Asyncio: part of the request is still here."""
        self._written_whole = False

    def resume_writing(self) -> None:
        """Asyncio: the request was handed to the kernel whole."""
        self._written_whole = True

    def data_received(self, data: bytes) -> None:
        """Asyncio: feed the parser; what is no HTTP ends the connection."""
        if self._on_answer is None:
            self.close()  # nobody asked
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.give_up("the upstream wants another protocol")
        except httptools.HttpParserError as error:
            self.give_up(f"the answer is not HTTP: {error}")
        else:
            if self._answer is None:
                self._limit_head(len(data))
            else:
                self._end(self._answer)

    def _limit_head(self, more: int) -> None:
        """Give up an answer whose head does not end; its body may be long, as it is not kept."""
        if not (self._headers_done and self._parser.get_status_code() >= 200):  # noqa: PLR2004 - RFC 9110 15.2
            self._before_body += more
            if self._before_body > HEAD_LIMIT:
                self.give_up("the answer's head has no end")

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio: the other side closed or reset it."""
        self.reusable = False
        if self._on_answer is not None:
            self.give_up("connection reset" if exc else "connection closed without an answer")

    def on_message_begin(self) -> None:
        """Httptools: a new message, perhaps after an interim one (1xx); a second answer is one too many."""
        if self._answer is not None:
            self.reusable = False
        self._headers_done = False
        self._text = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        """Httptools: the few headers that matter."""
        match name.lower():
            case b"x-plausible-dropped":
                self._dropped = int(value) if value.isdigit() else 0
            case b"retry-after":
                self._retry_after = value.decode("latin-1")
            case b"keep-alive":
                self.idle_s = _kept_for_s(value)
            case _:
                pass

    def on_headers_complete(self) -> None:
        """Httptools: status and headers are known."""
        self._headers_done = True

    def on_body(self, body: bytes) -> None:
        """Httptools: keep the start of the body."""
        if len(self._text) < TEXT_LIMIT:
            self._text += body[: TEXT_LIMIT - len(self._text)]

    def on_message_complete(self) -> None:
        """Httptools: the answer is whole, unless it was an interim one."""
        if self._answer is None and self._parser.get_status_code() >= 200:  # noqa: PLR2004 - RFC 9110 15.2
            self.reusable = self._parser.should_keep_alive()
            self._answer = self._reply()

    def _reply(self) -> Reply:
        make = _reply_of if len(self._text) <= COMMON_TEXT else _reply_of.__wrapped__  # long ones may tell of a visitor
        return make(self._parser.get_status_code(), self._dropped, self._retry_after, self._text)

    def _end(self, answer: Reply | NoAnswer) -> None:
        on_answer, self._on_answer = self._on_answer, None
        if on_answer is not None:
            self._on_end(self)
            on_answer(answer)


@lru_cache(maxsize=64)
def _reply_of(status: int, dropped: int, retry_after: str | None, text: bytes) -> Reply:
    """The answer as a value; nearly all are the same one."""
    return Reply(status, dropped, retry_after, text.decode("utf-8", "replace"))


def _kept_for_s(keep_alive: bytes) -> float:
    """How long to keep an idle connection, by the other side's Keep-Alive header, with a second to spare."""
    for part in keep_alive.lower().split(b","):
        name, _, value = part.strip().partition(b"=")
        if name == b"timeout" and value.isdigit():
            return max(0.0, min(IDLE_S, float(value[:6]) - 1.0))
    return IDLE_S
