"""The answer that nearly every event gets, `202 ok`, and that of nearly every batch, written in one piece.

aiohttp puts an answer together header by header and asks every listener; that costs as much as to check an event, for
bytes that are always the same but for the time. Whatever is not the usual case gets aiohttp's own answer.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from email.utils import formatdate
from functools import lru_cache
from typing import Final

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from relay.http.connections import SERVER
from relay.http.cors import ANY_ANSWER, WARNING, cors_of
from relay.rules.warnings import in_header

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
        request.transport.write(accepted_bytes())
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


def plain(warnings: Iterable[str] = ()) -> web.Response:
    """The same answer as aiohttp's, for more headers; `warnings` are told in it."""
    answer = web.Response(status=202, body=BODY, headers=TEXT)
    for warning in warnings:
        answer.headers.add(WARNING, in_header(warning))
    return answer


def accepted_bytes() -> bytes:
    """All bytes of the answer, for a connection that goes on."""
    return _whole(int(time.time()))


def verdicts_bytes(body: bytes) -> bytes:
    """All bytes of a batch's 202 with these verdicts, for a connection that goes on."""
    return _head(len(body), int(time.time())) + body


def in_one_piece(answer: web.Response, *, last: bool) -> bytes:
    """All bytes of another short answer, as aiohttp and the door's listeners would write it; `last` of its connection.

    Only for one that nobody has prepared, with a body of bytes.
    """
    body = answer.body
    assert isinstance(body, bytes)  # noqa: S101 - not one of aiohttp's payloads
    headers = [*answer.headers.items(), ("Content-Length", str(len(body))), ("Server", SERVER)]
    headers += cors_of(answer.headers).items()
    if last:
        headers.append(("Connection", "close"))
    return _said(f"{answer.status} {answer.reason}", headers, int(time.time())) + body


@lru_cache(maxsize=2)
def _whole(now_s: int) -> bytes:
    """The answer at that Unix time; made once a second."""
    return _said("202 Accepted", _HEADERS.items(), now_s) + BODY


@lru_cache(maxsize=16)
def _head(length: int, now_s: int) -> bytes:
    """What is before the verdicts; most batches of one second have as many."""
    headers = {"Content-Type": "application/json", "Content-Length": str(length), "Server": SERVER, **ANY_ANSWER}
    return _said("202 Accepted", headers.items(), now_s)


def _said(status: str, headers: Iterable[tuple[str, str]], now_s: int) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
    lines.append(f"Date: {formatdate(now_s, usegmt=True)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n"
