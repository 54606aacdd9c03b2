"""What the client sends and reads: exactly one request an event, and any answer that is one.

Like all tests of the client these run on uvloop, which the relay's processes use, and on the standard library's loop.
"""

import pytest

from relay.rules.judge import Reply
from tests.workers.wire import DELIVERED, EVENT, OK, Peer, answering, client_to, post
from workers.client import Client, Outbound


async def test_exactly_these_headers_go_out() -> None:
    """A request has the visitor's User-Agent, one X-Forwarded-For, and the body byte for byte; nothing else."""
    body = b'{"n":"\xe2\x82\xac"}\0\xff'
    async with client_to(answering) as (_, wire):
        below = Client(f"{wire.url}/sub/", 2.0, 5.0)
        await post(below, Outbound(b"Firefox/140", "2620:fe::fe", body))
        below.close()
    port = wire.url.rpartition(":")[2].encode()
    assert wire.requests == [
        b"POST /sub/api/event HTTP/1.1\r\nHost: 127.0.0.1:" + port + b"\r\n"
        b"User-Agent: Firefox/140\r\nX-Forwarded-For: 2620:fe::fe\r\n"
        b"Content-Type: application/json\r\nAccept: */*\r\nContent-Length: 13\r\n\r\n" + body
    ]


async def test_a_user_agent_goes_out_as_it_came() -> None:
    """Bytes that are no ASCII stay as they are, no User-Agent stays none, and an empty one empty."""
    async with client_to(answering) as (client, wire):
        for agent in (b"M\xfcller \xe2\x82\xac\t\xff", None, b""):
            await post(client, Outbound(agent, "9.9.9.9", b"{}"))
    first, second, third = wire.requests
    assert b"\r\nUser-Agent: M\xfcller \xe2\x82\xac\t\xff\r\n" in first
    assert b"user-agent" not in second.lower()
    assert b"\r\nUser-Agent: \r\n" in third


async def test_no_user_agent_makes_a_header() -> None:
    """Line ends and zeros in a stored User-Agent can't make another header or another request."""
    agent = b"x\r\nX-Plausible-IP: 1.2.3.4\r\n\r\nPOST /api/event HTTP/1.1\nA: b\0c"
    async with client_to(answering) as (client, wire):
        await post(client, Outbound(agent, "9.9.9.9", b"{}"))
    [request] = wire.requests
    assert request.count(b"\r\n") == 8
    assert b"\nX-Plausible-IP" not in request
    assert b"User-Agent: x  X-Plausible-IP: 1.2.3.4    POST /api/event HTTP/1.1 A: b c\r\n" in request


async def test_the_answer_is_read_whole() -> None:
    """Status, the number of dropped, Retry-After and the start of the text come back."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(
            b"HTTP/1.1 429 Slow\r\nX-Plausible-Dropped: 2\r\nretry-AFTER: Wed\r\ncontent-length: 9000\r\n\r\n",
            b"x" * 9_000,
        )
        await peer.request()
        await peer.say(b"HTTP/1.1 400 No\r\nx-plausible-dropped: many\r\nContent-Length: 3\r\n\r\n\xff{}")

    async with client_to(script) as (client, wire):
        assert await post(client, EVENT) == Reply(429, 2, "Wed", "x" * 4_096)
        assert await post(client, EVENT) == Reply(400, 0, None, "\ufffd{}")
        assert wire.connections == 1


ANSWERS = {
    "with interim answers": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK,
    "chunked": b"HTTP/1.1 202 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\nTrailer: x\r\n\r\n",
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_an_unusual_answer_is_one_too(answer: bytes) -> None:
    """Interim answers and chunks are read through, in one piece or byte by byte, and the connection is used again."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(answer)
        while await peer.request():
            await peer.say(*(answer[n : n + 1] for n in range(len(answer))))

    async with client_to(script) as (client, wire):
        assert [await post(client, EVENT) for _ in range(3)] == [DELIVERED] * 3
        assert wire.connections == 1


async def test_an_answer_without_a_body_is_whole() -> None:
    """A 204 needs no length."""

    async def script(peer: Peer) -> None:
        while await peer.request():
            await peer.say(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with client_to(script) as (client, wire):
        assert [await post(client, EVENT) for _ in range(2)] == [Reply(204)] * 2
        assert wire.connections == 1
