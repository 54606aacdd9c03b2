"""Requests whose end can be read in two ways: a proxy before the door and the door must never differ over it.

Each shape is either refused, with its connection, or is exactly one event; what stands behind it is never a second
one (RFC 9112, sections 6 and 7). A real `relay serve` answers.
"""

import pytest

from relay.queue.connection import connect
from tests.http.door import body, chunks, connection, kept_in, request
from tests.http.process import Serve
from tests.server import TestServer

EVENT = body(name="first")
SIZE = len(EVENT)
LENGTH = b"Content-Length: %d" % SIZE
CHUNKED = b"Transfer-Encoding: chunked"
IN_CHUNKS = chunks(EVENT)
END = b"\r\n0\r\n\r\n"
MARK = b"mark"  # the sender's User-Agent, in each test another one of this length
HIDDEN = request(body(name="smuggled"), b"User-Agent: " + MARK)
LINE = b"POST /api/event HTTP/1.1"


def shape(*headers: bytes, content: bytes = EVENT + HIDDEN, line: bytes = LINE) -> bytes:
    """A request with these headers alone to say where it ends."""
    return b"\r\n".join((line, b"Host: relay.test", b"User-Agent: " + MARK, *headers, b"", content))


def sized(size: bytes, after: bytes = b"\r\n") -> bytes:
    """A chunked request with this as its chunk's size, and a request hidden behind it."""
    return shape(CHUNKED, content=size + after + EVENT + END + HIDDEN)


REFUSED = {
    "two lengths": shape(LENGTH, b"Content-Length: %d" % (SIZE + len(HIDDEN))),
    "one length twice": shape(LENGTH, LENGTH),
    "a list of lengths": shape(LENGTH + b", %d" % SIZE),
    "length and chunked": shape(b"Content-Length: %d" % len(IN_CHUNKS), CHUNKED, content=IN_CHUNKS + HIDDEN),
    "chunked and length": shape(CHUNKED, b"Content-Length: 4", content=IN_CHUNKS + HIDDEN),
    "chunked twice": shape(CHUNKED, CHUNKED, content=IN_CHUNKS + HIDDEN),
    "chunked, then gzip": shape(CHUNKED + b", gzip", content=IN_CHUNKS + HIDDEN),
    "chunked with a comma": shape(CHUNKED + b",", content=IN_CHUNKS + HIDDEN),
    "chunked in quotes": shape(b'Transfer-Encoding: "chunked"', content=IN_CHUNKS + HIDDEN),
    "xchunked": shape(b"Transfer-Encoding: xchunked", content=IN_CHUNKS + HIDDEN),
    "identity": shape(b"Transfer-Encoding: identity", LENGTH),
    "chunked on a folded line": shape(b"Transfer-Encoding:\r\n chunked", content=IN_CHUNKS + HIDDEN),
    "a fold before chunked": shape(b"X: y\r\n Transfer-Encoding: chunked", LENGTH),
    "a fold as the first header": b"POST /api/event HTTP/1.1\r\n Host: relay.test\r\n" + LENGTH + b"\r\n\r\n" + EVENT,
    "chunked behind a tab of another kind": shape(b"Transfer-Encoding: \x0bchunked", content=IN_CHUNKS + HIDDEN),
    "chunked with a null": shape(CHUNKED + b"\0", content=IN_CHUNKS + HIDDEN),
    "a null in the name": shape(LENGTH, b"Transfer-Encoding\0: chunked"),
    "a space before the colon": shape(b"Transfer-Encoding : chunked", content=IN_CHUNKS + HIDDEN),
    "a space before the length's colon": shape(b"Content-Length : %d" % SIZE),
    "chunked in HTTP/1.0": shape(CHUNKED, content=IN_CHUNKS + HIDDEN, line=LINE[:-1] + b"0"),
    "LF for CRLF": shape(LENGTH).replace(b"\r\n", b"\n"),
    "LF within the headers": shape(b"X: y\n" + LENGTH),
    "CR within a header": shape(b"X: y\rContent-Length: 5", LENGTH),
    "CR CR LF": shape(b"X: y\r", LENGTH),
    "a header without a name": shape(b": x", LENGTH),
    "a negative length": shape(b"Content-Length: -%d" % SIZE),
    "a length with a plus": shape(b"Content-Length: +%d" % SIZE),
    "a length in hex": shape(b"Content-Length: 0x%x" % SIZE),
    "a length with an underscore": shape(b"Content-Length: 6_0"),
    "a length with a point": shape(b"Content-Length: %d.0" % SIZE),
    "a length in Arabic digits": shape("Content-Length: ٦٠".encode()),
    "a length of nothing": shape(b"Content-Length:"),
    "a length of two": shape(b"Content-Length: 2"),
    "a negative chunk": sized(b"-%x" % SIZE),
    "a chunk with a plus": sized(b"+%x" % SIZE),
    "a chunk with 0x": sized(b"0x%x" % SIZE),
    "a chunk with an underscore": sized(b"4_0"),
    "a chunk behind a space": sized(b" %x" % SIZE),
    "a chunk before a space": sized(b"%x " % SIZE),
    "a chunk beyond 64 bits": sized(b"1%016x" % SIZE),
    "a chunk's line ended by LF": sized(b"%x" % SIZE, b"\n"),
    "a chunk's line ended by CR": sized(b"%x" % SIZE, b"\r"),
    "LF in an extension": sized(b"%x;a\nb" % SIZE),
    "an extension's open quote": sized(b'%x;a="' % SIZE),
    "a chunk ended by LF": shape(CHUNKED, content=b"%x\r\n%b\n0\r\n\r\n" % (SIZE, EVENT) + HIDDEN),
    "a chunk that does not end": shape(CHUNKED, content=b"%x\r\n%b0\r\n\r\n" % (SIZE, EVENT) + HIDDEN),
    "a chunk that ends late": shape(CHUNKED, content=b"%x\r\n%bXX0\r\n\r\n" % (SIZE, EVENT) + HIDDEN),
    "a length among the trailers": shape(CHUNKED, content=IN_CHUNKS[:-2] + b"Content-Length: 500\r\n\r\n" + HIDDEN),
    "a trailer without an end": shape(CHUNKED, content=IN_CHUNKS[:-2] + b"X: " + b"y" * 500_000 + b"\r\n\r\n" + HIDDEN),
    "trailers without an end": shape(CHUNKED, content=IN_CHUNKS[:-2] + b"X: y\r\n" * 50_000 + b"\r\n" + HIDDEN),
    "two hosts": shape(b"Host: other.test", LENGTH),
    "a request behind the last": shape(b"Connection: close", LENGTH),
    "a line that ends in a space": shape(LENGTH, line=LINE + b" "),
    "a line with tabs": shape(LENGTH, line=LINE.replace(b" ", b"\t")),
    "a line that begins with a space": shape(LENGTH, line=b" " + LINE),
    "HTTP/0.9": b"POST /api/event\r\n\r\n" + HIDDEN,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN,
}
ONE_EVENT = {
    "chunked behind a tab": shape(b"Transfer-Encoding:\tchunked", content=IN_CHUNKS),
    "chunked before spaces": shape(CHUNKED + b"  ", content=IN_CHUNKS),
    "CHUNKED": shape(CHUNKED.upper(), content=IN_CHUNKS),
    "gzip, then chunked": shape(b"Transfer-Encoding: gzip, chunked", content=IN_CHUNKS),
    "another name for it": shape(b"Transfer_Encoding: chunked", LENGTH, content=EVENT),
    "noughts before the length": shape(b"Content-Length: 000%d" % SIZE, content=EVENT),
    "noughts before the chunk": sized(b"00000000000%x" % SIZE).removesuffix(HIDDEN),
    "a huge extension": sized(b"%x;a=%b" % (SIZE, b"x" * 500_000)).removesuffix(HIDDEN),
    "a trailer": shape(CHUNKED, content=IN_CHUNKS[:-2] + b"X-Trailer: y\r\n\r\n"),
    "an absolute target": shape(LENGTH, content=EVENT, line=b"POST http://other.test/api/event HTTP/1.1"),
}
BODY_OF_ANOTHER_METHOD = {
    "GET": (shape(b"Content-Length: %d" % len(HIDDEN), content=HIDDEN, line=b"GET /health/live HTTP/1.1"), 200),
    "OPTIONS": (shape(b"Content-Length: %d" % len(HIDDEN), content=HIDDEN, line=b"OPTIONS /api/event HTTP/1.1"), 204),
    "PUT": (shape(CHUNKED, content=chunks(HIDDEN), line=b"PUT /api/event HTTP/1.1"), 404),
    "debug": (shape(b"X-Debug-Request: true", b"Content-Length: %d" % len(HIDDEN), content=HIDDEN), 200),
    "upgrade": (shape(b"Connection: upgrade", b"Upgrade: x", b"Content-Length: %d" % len(HIDDEN), content=HIDDEN), 400),
}


NAMES = [*REFUSED, *ONE_EVENT, *BODY_OF_ANOTHER_METHOD]


def mark_of(name: str) -> bytes:
    """The User-Agent of the sender of this shape."""
    return b"%04d" % (NAMES.index(name) + 1)


async def kept(server: TestServer, name: str) -> list[bytes]:
    """The bodies that were kept from the sender of this shape, in their order."""
    redis = connect(server.url)
    try:
        return [event.body for event in await kept_in(redis) if event.user_agent == mark_of(name)]
    finally:
        await redis.aclose()


@pytest.mark.parametrize("name", REFUSED)
async def test_an_end_that_is_not_certain_is_refused(served: Serve, shared_server: TestServer, name: str) -> None:
    """What two readers might end at different bytes is 400 and the end of its connection, and nothing of it is kept."""
    async with await connection(served.port) as socket:
        answer = await socket.ask(REFUSED[name].replace(MARK, mark_of(name)))
        assert (answer.status, answer.has_cors) == (400, True)
        assert await socket.is_closed()
    assert await kept(shared_server, name) == []


@pytest.mark.parametrize("name", ONE_EVENT)
async def test_an_odd_spelling_of_one_end_is_one_event(served: Serve, shared_server: TestServer, name: str) -> None:
    """What is odd and yet has one meaning is one event as it was sent, and the next request is read from its start."""
    following = request(body(name="next"), b"User-Agent: " + mark_of(name))
    async with await connection(served.port) as socket:
        assert (await socket.ask(ONE_EVENT[name].replace(MARK, mark_of(name)))).status == 202
        assert (await socket.ask(following)).status == 202
    assert await kept(shared_server, name) == [EVENT, body(name="next")]


@pytest.mark.parametrize("name", BODY_OF_ANOTHER_METHOD)
async def test_a_body_that_nobody_reads_is_no_request(served: Serve, shared_server: TestServer, name: str) -> None:
    """A request within the body of one that needs none is never carried out, and what follows the body is."""
    sent, status = BODY_OF_ANOTHER_METHOD[name]
    async with await connection(served.port) as socket:
        assert (await socket.ask(sent.replace(MARK, mark_of(name)))).status == status
        assert (await socket.ask(request(body(name="next"), b"User-Agent: " + mark_of(name)))).status == 202
    assert await kept(shared_server, name) == [body(name="next")]
