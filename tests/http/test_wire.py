"""HTTP as it can come over a wire: old, pipelined, in single bytes, broken, and from clients that leave."""

import asyncio
import select
import socket
from functools import partial

import pytest

from relay.http.app import WATCH
from tests.http.door import Door, body, chunks, errors, padded, request, until

EVENT = request(body())


@pytest.mark.parametrize(("header", "goes_on"), [((), False), ((b"Connection: keep-alive",), True)])
async def test_http_1_0(
    door: Door,
    header: tuple[bytes, ...],
    goes_on: bool,  # noqa: FBT001 - a table's column
) -> None:
    """An old client is served too, and keeps its connection only if it asks."""
    old = request(body(), *header, line=b"POST /api/event HTTP/1.0").replace(b"Host: localhost\r\n", b"")
    async with await door.connection() as socket:
        assert (await socket.ask(old)).status == 202
        if goes_on:
            assert (await socket.ask(old)).status == 202
        else:
            assert await socket.is_closed()


async def test_pipelined_requests_are_answered_in_their_order(door: Door) -> None:
    """Fifty events in one segment, with wrong ones between them, get fifty answers and keep their order."""
    sent = [body(name=f"n{i}") if i % 5 else b"[]" for i in range(50)]
    async with await door.connection() as socket:
        await socket.send(b"".join(map(request, sent)))
        assert [(await socket.answer()).status for _ in sent] == [202 if i % 5 else 400 for i in range(50)]
    assert [event.body for event in await door.kept()] == [content for content in sent if content != b"[]"]


@pytest.mark.parametrize("content", [body(), chunks(body()[:9], body()[9:])], ids=["length", "chunked"])
async def test_a_request_in_single_bytes(door: Door, content: bytes) -> None:
    """However a network cuts a request, it is the same event."""
    headers = [b"Transfer-Encoding: chunked"] if content != body() else []
    whole = request(content, b"User-Agent: slow", *headers)
    assert (await door.converse(*(whole[i : i + 1] for i in range(len(whole))))).status == 202
    assert [(event.user_agent, event.body) for event in await door.kept()] == [(b"slow", body())]


async def test_a_request_cut_at_every_byte(door: Door) -> None:
    """Two segments, cut anywhere, on one kept connection."""
    async with await door.connection() as socket:
        for i in range(1, len(EVENT)):
            assert (await socket.ask(EVENT[:i], EVENT[i:])).status == 202
    assert len(await door.kept()) == len(EVENT) - 1


@pytest.mark.parametrize(
    "broken",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"POST /api/event\r\n\r\n",
        request(body(), b"no colon"),
        request(body(), b"X: \0"),
        request(body(), b"Content-Length: -1"),
        request(body(), b"Content-Length: 1" + b"0" * 30),
        request(body(), b"Content-Length: 5", b"Content-Length: 6"),
        request(body(), b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        request(body(), b"Transfer-Encoding: gzip"),
        request(b"zz\r\n", b"Transfer-Encoding: chunked"),
        request(body(), b"Cookie: " + b"c" * 9_000),
        request(body(), *[b"X: y"] * 200),
        request(body(), b"User-Agent: one", b"User-Agent: two"),
        request(body(), line=b"POST /api/event/%b HTTP/1.1" % (b"p" * 9_000)),
        request(body(), line=b"POST http://[/api/event HTTP/1.1"),
        request(body(), line=b"POST /\xff%zz HTTP/1.1"),
        request(body(), line=b"POST /api/event HTTP/7.0"),
        request(body()).replace(b"Host: localhost\r\n", b""),
    ],
    ids=lambda broken: repr(broken[:60]),
)
async def test_what_is_no_http_gets_400(door: Door, broken: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """It is answered as every refusal, in words that a browser may read, counted, and no failure in the log."""
    before = door.app[WATCH].refused.total()
    async with await door.connection() as socket:
        answer = await socket.ask(broken)
        assert (answer.status, answer.has_cors) == (400, True)
        assert errors(answer.content)["request"]
        assert await socket.is_closed()
    assert door.app[WATCH].refused.total() == before + 1
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
    assert (await door.post()).status == 202
    assert len(await door.kept()) == 1


@pytest.mark.parametrize("path", [b"/api/event", b"/health/live", b"/nowhere"])
async def test_an_expectation_that_is_no_text(door: Door, path: bytes) -> None:
    """An `Expect` header of any bytes is no failure of the door, on no path."""
    answer = await door.converse(request(body(), b"Expect: \xff", line=b"POST %b HTTP/1.1" % path))
    assert answer.status in {202, 404, 405}


async def test_a_head_that_stalls_is_cut_off(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection has seconds to bring a whole head, also its second; one that waits between requests is kept."""
    monkeypatch.setattr("relay.http.connections.HEAD_WITHIN_S", 0.2)
    async with await door.connection() as silent, await door.connection() as slow, await door.connection() as kept:
        assert (await kept.ask(EVENT)).status == 202
        assert (await slow.ask(EVENT)).status == 202
        await slow.send(EVENT[:40])
        assert await silent.is_closed()
        assert await slow.is_closed()
        assert (await kept.ask(EVENT)).status == 202


async def deaf(port: int) -> socket.socket:
    """Connect without room for what is not read."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
    sock.setblocking(False)  # noqa: FBT003 - a socket has no other way
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    return sock


async def is_cut(sock: socket.socket) -> bool:
    """Whether the door has ended the connection, whatever is left to read."""
    hung_up = select.poll()
    hung_up.register(sock, 0)
    return bool(hung_up.poll(0))


@pytest.mark.parametrize("last", [(), (b"Connection: close",)], ids=["goes on", "ends"])
async def test_answers_that_nobody_takes_are_thrown_away(
    door: Door, last: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks and asks and reads nothing is cut off, also where the door has closed; who reads late gets it all."""
    monkeypatch.setattr("relay.http.connections.TAKEN_WITHIN_S", 0.2)
    asks = b"GET /metrics HTTP/1.1"
    async with await door.connection() as late:
        await late.send(EVENT * 50)
        with await deaf(door.port) as sock:
            asked = request(line=asks) * 2_000 + request(b"", *last, line=asks)
            await asyncio.get_running_loop().sock_sendall(sock, asked)
            await until("the deaf sender is cut off", partial(is_cut, sock))
        assert [(await late.answer()).status for _ in range(50)] == [202] * 50


async def test_an_upgrade_is_not_taken(door: Door) -> None:
    """A client that would rather speak HTTP/2 or WebSocket is answered in HTTP/1.1, and its next request too."""
    for wanted in (b"h2c", b"websocket"):
        async with await door.connection() as socket:
            assert (await socket.ask(request(body(), b"Connection: Upgrade", b"Upgrade: " + wanted))).status == 202
            assert (await socket.ask(EVENT)).status == 202


@pytest.mark.parametrize("left_at", [1, 40, len(EVENT) - 1], ids=["line", "headers", "body"])
async def test_who_leaves_within_a_request_harms_nobody(
    door: Door, left_at: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Half a request keeps nothing, is no error in the log, and disturbs no other connection."""
    async with await door.connection() as other:
        for _ in range(20):
            async with await door.connection() as socket:
                await socket.send(EVENT[:left_at])
        assert (await other.ask(EVENT)).status == 202
    async with await door.connection() as socket:
        await socket.send(request(padded(900_000))[:400_000])
    assert (await door.post()).status == 202
    assert len(await door.kept()) == 2
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_who_leaves_before_the_answer_harms_nobody(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    """Their events are kept or not; those of everybody in the same write are kept."""

    async def leave() -> None:
        async with await door.connection() as socket:
            await socket.send(EVENT)

    async def stay() -> int:
        return (await door.converse(request(body(name="stays")))).status

    answers = await asyncio.gather(*(task for _ in range(30) for task in (leave(), stay())))
    assert [status for status in answers if status] == [202] * 30
    assert (await door.post(body(name="last"))).status == 202
    names = [event.body for event in await door.kept()]
    assert (names.count(body(name="stays")), names.count(body(name="last"))) == (30, 1)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_crowd(door: Door) -> None:
    """Many at once on their own connections: each 202 is one kept event, neither more nor fewer."""

    async def visit(i: int) -> int:
        return (await door.converse(request(body(name=f"n{i}")))).status

    for start in range(0, 600, 100):
        assert set(await asyncio.gather(*(visit(i) for i in range(start, start + 100)))) == {202}
    assert sorted(event.body for event in await door.kept()) == sorted(body(name=f"n{i}") for i in range(600))
