"""The answer that nearly every event gets, `202 ok`, written in one piece.

aiohttp puts an answer together header by header and asks every listener; that is a seventh of what an event costs a
door, for bytes that are always the same but for the time. Whatever is not the usual case gets aiohttp's own answer.
"""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache
from typing import Final

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from relay.http.connections import SERVER
from relay.http.cors import ANY_ANSWER

BODY: Final = b"ok"
TEXT: Final = {"Content-Type": "text/plain; charset=utf-8"}
_HEADERS: Final = {**TEXT, "Content-Length": str(len(BODY)), "Server": SERVER, **ANY_ANSWER}


class _InOnePiece(web.StreamResponse):
    """One object for all requests: it keeps nothing, so none of what a `StreamResponse` sets up is needed."""

    def __init__(self) -> None:  # not aiohttp's, which makes it an answer of one request
        pass

    @property
    def keep_alive(self) -> bool:
        """aiohttp: the connection goes on."""
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """aiohttp: write it; returns when the sender takes it."""
        if request.transport is None:
            raise ConnectionResetError("the sender is gone")
        request.transport.write(_whole(int(time.time())))
        await request.writer.drain()
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """aiohttp: nothing is left to be written."""


_IN_ONE_PIECE: Final = _InOnePiece()


def accepted(request: web.Request, *, draining: bool) -> web.StreamResponse:
    """The answer. While `draining`, and to who wants it so, it ends its connection, which is for aiohttp to say."""
    if draining or request.version != HttpVersion11 or not request.keep_alive:
        return plain()
    return _IN_ONE_PIECE


def plain() -> web.Response:
    """The same answer as aiohttp's, for more headers."""
    return web.Response(status=202, body=BODY, headers=TEXT)


@lru_cache(maxsize=2)
def _whole(now_s: int) -> bytes:
    """All bytes of the answer at that Unix time; made once a second."""
    lines = ["HTTP/1.1 202 Accepted", *(f"{name}: {value}" for name, value in _HEADERS.items())]
    lines.append(f"Date: {formatdate(now_s, usegmt=True)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + BODY
