"""The law that holds the relay's own reading of a request against aiohttp's parser; and heads gone wrong, by dice.

The dice make the same requests of the same seed.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError, HttpVersion11
from aiohttp.http_parser import HttpRequestParser

from relay.http.framing import frame, rest_of
from tests.http.mutations import Mutator

LINES = (
    *(b"POST /api/event HTTP/1.1", b"POST /api/events HTTP/1.1") * 3,
    *(b"GET / HTTP/1.1", b"POST /api/event?a=b HTTP/1.1", b"OPTIONS /api/event HTTP/1.1", b"HEAD /%00|<\\> HTTP/1.1"),
    *(b"GET //x HTTP/1.1", b"GET /#a HTTP/1.1", b"POST /api/event HTTP/1.0", b"GET * HTTP/1.1", b"CONNECT x HTTP/1.1"),
)
NAMES = (
    b"Host Content-Length Connection Transfer-Encoding Expect Upgrade Proxy-Connection Trailer Keep-Alive Accept "
    b"User-Agent X-Forwarded-For Content-Encoding Cookie Sec-WebSocket-Key1 Content-Location Content-Range ETag "
    b"Max-Forwards Server content-type DNT X-Y TE Date"
).split()
VALUES = (
    b"keep-alive|Keep-Alive|close|chunked|gzip|100-continue|h2c|websocket|example.com|0|1|2|5|05|+5|5, 5|0x5|"
    b"text/plain|a b|\xc3\xa4|\xff|a\tb| a|a |\t|{}|deflate, gzip|identity|Upgrade|keep-alive, x|65536|99999|"
    + b"x"
    * 300
).split(b"|")
DAMAGE = (
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b":",
    b" ",
    b"\t",
    b"\0",
    b"\x7f",
    b"\xa0",
    b"\r\n x",
    b"_",
    b"HTTP/1.0",
    b",",
)
BODY = b"{} and more"


class Heads(Mutator):
    """Requests whose heads are nearly those of a post that is read by its bytes."""

    def segment(self) -> bytes:
        """One of them, whole or not, its own length named or another."""
        dice = self.dice
        length = dice.choice([0, 2, 5, len(BODY)])
        lines = [b"Host: x", b"Content-Length: %d" % length]
        lines += [b"%b: %b" % (dice.choice(NAMES), dice.choice(VALUES)) for _ in range(dice.choice([0, 1, 1, 2, 3]))]
        if dice.random() < 0.1:
            lines.pop(dice.randrange(len(lines)))
        dice.shuffle(lines)
        head = b"\r\n".join([dice.choice(LINES), *lines])
        if dice.random() < 0.4:
            head = self._damaged_head(head)
        cut = length if dice.random() < 0.7 else dice.randrange(len(BODY))
        whole = head + b"\r\n\r\n" + BODY[:cut]
        return whole if dice.random() < 0.9 else whole[: dice.randrange(1, len(whole))]

    def _damaged_head(self, head: bytes) -> bytes:
        changed = bytearray(head)
        for _ in range(self.dice.randint(1, 2)):
            at = self.dice.randrange(len(changed) + 1)
            changed[at : at + self.dice.choice([0, 0, 1, 2])] = self.dice.choice(DAMAGE)
        return bytes(changed)


def parsed(pieces: Sequence[bytes], loop: asyncio.AbstractEventLoop) -> list[tuple[Any, Any]] | None:
    """The requests that aiohttp reads; None if it finds fault."""
    parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16, auto_decompress=False)
    try:
        return [request for piece in pieces for request in parser.feed_data(piece)[0]]
    except HttpProcessingError:
        return None


def judge_framing(segment: bytes, loop: asyncio.AbstractEventLoop) -> str:
    """Assert that the bytes are read as aiohttp reads them, or left to it; says which."""
    framed = frame(segment)
    rest = rest_of(framed, segment)
    if framed is None or rest is None:
        return "left" if framed is None else "more"
    alike = parsed([segment, *[b"x" * rest] * (rest > 0), segment], loop)
    if framed.path is None and alike is None:
        return "refused"  # by aiohttp, and its connection ends
    assert alike is not None, segment
    whole = alike[:1] if rest else alike
    assert len(alike) == 2, segment  # so the first ends where the second begins
    for message, content in whole:
        body = b"".join(_pieces(content))
        assert (message.should_close, message.upgrade, message.chunked) == (False, False, False), segment
        assert content.is_eof(), segment
        assert (message.version, message.raw_headers) == (HttpVersion11, tuple(framed.headers)), segment
        assert body == segment[framed.body_at :] + b"x" * rest, segment
        assert framed.path in {None, message.path}, segment
        assert framed.path is None or message.method == "POST", segment
    assert framed.names.split(b"\n") == [name for name, _ in framed.headers], segment
    return "other" if framed.path is None else "part" if rest else "post"


def _pieces(content: Any) -> Sequence[bytes]:
    return getattr(content, "_buffer", ())  # of what is empty there is none
