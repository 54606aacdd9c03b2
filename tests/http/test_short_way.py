"""The short way of a usual post: it is taken, says and keeps what aiohttp's way does, and keeps the order of answers.

What aiohttp has handled itself, its own server counts.
"""

import asyncio
import socket
from typing import Any

import pytest
import uvloop
from aiohttp import web

from relay.http import framing, short_way
from relay.http.app import build_door, door_runner
from relay.http.usual import Usual
from relay.queue.stored import StoredEvent, partition_of
from relay.settings import load_settings
from tests.http.conftest import OpenDoor
from tests.http.door import Answer, Connection, Door, body, chunks, connection, padded, request, until, until_ready

LONG_WAY = b"X-Debug-Request: no"  # changes nothing but the way
PUBLIC = b"X-Forwarded-For: 81.2.69.142"
REVENUE = {"amount": "12.50", "currency": "EUR"}
POSTS = {
    "usual": body(),
    "server": body(name="Purchase", revenue=REVENUE, props={"plan": "trial", "n": 3}),
    "warned": body(props={"list": [1]}, referrer="r" * 3_000),
    "engagement": b'{"n":"engagement","u":"https://example.com/","d":"example.com","sd":70,"e":5000}',
    "two sites": body(domain="example.com,example.org"),
    "unknown site": body(domain="elsewhere.example"),
    "one site unknown": body(domain="example.com,elsewhere.example"),
    "wrong": body(url="", revenue={"amount": "1,5", "currency": "eur"}),
    "no object": b"[]",
    "no JSON": b"{",
    "empty": b"",
    "long": padded(framing.SHORT_BYTES),
    "longer": padded(framing.SHORT_BYTES + 1),
}


def handled(door: Door) -> int:
    """Return how many requests aiohttp has handled."""
    runner = door.client.server.runner
    server = None if runner is None else web.AppRunner.server.fget(runner)  # type: ignore[attr-defined]
    assert isinstance(server, web.Server)
    return server.requests_count


def told(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    """Return what a sender sees of an answer, but for the time."""
    return answer.status, {name: value for name, value in answer.headers.items() if name != "date"}, answer.content


async def held_up(door: Door, wire: Connection, segments: list[bytes]) -> None:
    """Send segments, each of which the door has read before the next one; the queue takes nothing meanwhile."""
    await door.redis.execute_command("CLIENT", "PAUSE", 100, "WRITE")  # type: ignore[no-untyped-call]
    for segment in segments:
        wire.writer.write(segment)
        for _ in range(20):  # turns of the loop that the door shares
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    "pieces",
    [
        lambda whole: [whole],
        lambda whole: [whole[: -len(body())], whole[-len(body()) :]],
        lambda whole: [whole[i : i + 1] for i in range(len(whole))],
    ],
    ids=["whole", "head and body", "single bytes"],
)
@pytest.mark.parametrize("header", [PUBLIC, b"User-Agent: python-requests/2.32"], ids=["usual", "warned of"])
async def test_the_usual_post_takes_it(behind_a_proxy: Door, pieces: Any, header: bytes) -> None:
    """However its bytes come, and with warnings, too; several on one connection."""
    before = handled(behind_a_proxy)
    async with await behind_a_proxy.connection() as wire:
        for _ in range(40):  # more than aiohttp's parser takes without being told that they are handled
            assert (await wire.ask(*pieces(request(body(), header)))).status == 202
    assert handled(behind_a_proxy) == before
    assert len(await behind_a_proxy.kept()) == 40


def test_the_first_post_of_a_connection_takes_it(redis_url: str) -> None:
    """On uvloop, which the door has, its bytes are there before aiohttp's task has begun: most servers post so."""

    async def posts() -> int:
        runner = door_runner(build_door(load_settings({"sites": "*", "redis_url": redis_url}, {})))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]

        async def is_ready() -> bool:
            async with await connection(port) as wire:
                return (await wire.ask(request(line=b"GET /health/ready HTTP/1.1"))).status == 200

        await until("the door is ready", is_ready)
        server: web.Server = web.AppRunner.server.fget(runner)  # type: ignore[attr-defined]
        before = server.requests_count
        for content, status in ((body(), 202), (b"[]", 400), (body(), 202)):
            sender = socket.create_connection(("127.0.0.1", port))
            sender.sendall(request(content))  # before the door has had its turn
            async with Connection(*await asyncio.open_connection(sock=sender)) as wire:
                assert (await wire.answer()).status == status
                assert (await wire.ask(request(body()))).status == 202
        await runner.cleanup()
        return server.requests_count - before

    assert uvloop.run(posts()) == 1


@pytest.mark.parametrize(
    "unusual",
    [
        request(body(), PUBLIC, LONG_WAY),
        request(body(), PUBLIC, b"Idempotency-Key: one"),
        request(body(), PUBLIC, b"Connection: close"),
        request(body(), PUBLIC, line=b"POST /api/event HTTP/1.0"),
        request(body(), PUBLIC, line=b"POST /api/event?a=b HTTP/1.1"),
        request(padded(framing.SHORT_BYTES + 1), PUBLIC),
    ],
    ids=lambda whole: repr(whole[:26] + whole[-len(body()) - 30 : -len(body())]),
)
async def test_what_is_not_usual_does_not(behind_a_proxy: Door, unusual: bytes) -> None:
    """It is taken all the same, by aiohttp's way."""
    before = handled(behind_a_proxy)
    assert (await behind_a_proxy.converse(unusual)).status == 202
    assert handled(behind_a_proxy) == before + 1
    assert len(await behind_a_proxy.kept()) == 1


@pytest.mark.parametrize(
    "before",
    [
        request(line=b"GET /health/live HTTP/1.1"),
        request(body(), PUBLIC, b"Idempotency-Key: one"),
        request(b"[]"),
        request(padded(10 * framing.SHORT_BYTES), PUBLIC),
    ],
    ids=["a look at its health", "a key", "a refusal", "long"],
)
async def test_a_usual_post_takes_it_behind_what_did_not(behind_a_proxy: Door, before: bytes) -> None:
    """A proxy sends whatever comes on the connections that it keeps."""
    handled_before = handled(behind_a_proxy)
    async with await behind_a_proxy.connection() as wire:
        for _ in range(3):
            assert (await wire.ask(before)).status in {200, 202, 400}
            assert (await wire.ask(request(body(), PUBLIC))).status == 202
    assert handled(behind_a_proxy) == handled_before + 3


@pytest.mark.parametrize(
    "before",
    [
        request(chunks(body()), PUBLIC, b"Transfer-Encoding: chunked"),
        request(body(), PUBLIC) * 2,
        request(body(), b"X-Forwarded-For:81.2.69.142"),
    ],
    ids=["chunks", "two at once", "written oddly"],
)
async def test_behind_what_only_the_parser_can_read_all_is_its_own(behind_a_proxy: Door, before: bytes) -> None:
    """Nobody else knows whether it is amid a request; and all is answered."""
    posts = before.count(b"POST")
    handled_before = handled(behind_a_proxy)
    async with await behind_a_proxy.connection() as wire:
        await wire.send(before)
        for _ in range(posts):
            assert (await wire.answer()).status == 202
        assert (await wire.ask(request(body(), PUBLIC))).status == 202
    assert handled(behind_a_proxy) == handled_before + posts + 1


@pytest.mark.parametrize("validation", ["strict", "plausible"])
@pytest.mark.parametrize("header", [PUBLIC, b"User-Agent: curl/8.5.0"], ids=["visitor", "bot"])
async def test_both_ways_say_and_keep_the_same(open_door: OpenDoor, validation: str, header: bytes) -> None:
    """Status, headers, body, and what the queue has."""
    door = await open_door(trusted_proxies="127.0.0.1", sites="example.com,example.org", validation=validation)
    await until_ready(door)
    for name, content in POSTS.items():
        answers, kept = [], []
        for more in ((), (LONG_WAY,)):
            async with await door.connection() as wire:
                answers.append(told(await wire.ask(request(content, header, *more))))
            kept.append(sorted(event._replace(accepted_ms=0) for event in await door.kept()))
            await door.redis.flushall()
        assert answers[0] == answers[1], name
        assert kept[0] == kept[1], name


@pytest.mark.parametrize(
    "segments",
    [
        [request(body(), PUBLIC), request(b"[]"), request(body(), PUBLIC)],
        [request(body(), PUBLIC) + request(b"[]") + request(body(), PUBLIC)],
        [request(body(), PUBLIC)[:-5], request(body(), PUBLIC)[-5:] + request(b"[]") + request(body(), PUBLIC)],
        [request(body(), PUBLIC), request(b"[]")[:-1], b"]" + request(body(), PUBLIC)],
        [request(body(), PUBLIC)[:-5], request(body(), PUBLIC)[-5:] + request(b"[]")[:9], request(b"[]")[9:]
         + request(body(), PUBLIC)],
    ],
    ids=range(5),
)  # fmt: skip
async def test_answers_come_in_the_order_of_requests(behind_a_proxy: Door, segments: list[bytes]) -> None:
    """A refusal needs no queue, and waits for the answer before it nevertheless."""
    async with await behind_a_proxy.connection() as wire:
        for _ in range(5):
            await held_up(behind_a_proxy, wire, segments)
            assert [(await wire.answer()).status for _ in range(3)] == [202, 400, 202]
    assert len(await behind_a_proxy.kept()) == 10


async def test_what_is_no_http_behind_a_post_is_told_after_its_answer(behind_a_proxy: Door) -> None:
    """Also if it came in one segment with the post's body."""
    whole = request(body(), PUBLIC)
    for segments in ([whole, b"\0\r\n\r\n"], [whole[:-5], whole[-5:] + b"\0\r\n\r\n"]):
        async with await behind_a_proxy.connection() as wire:
            await held_up(behind_a_proxy, wire, segments)
            assert [(await wire.answer()).status for _ in range(2)] == [202, 400]
            assert await wire.is_closed()
    assert len(await behind_a_proxy.kept()) == 2


async def test_posts_before_what_is_no_http_are_kept(behind_a_proxy: Door) -> None:
    """Each came in a segment of its own while the first one was kept: aiohttp would have read them, too."""
    async with await behind_a_proxy.connection() as wire:
        await held_up(behind_a_proxy, wire, [request(body(), PUBLIC)] * 5 + [b"\0\r\n\r\n"])
        assert [(await wire.answer()).status for _ in range(6)] == [202] * 5 + [400]
        assert await wire.is_closed()
    assert len(await behind_a_proxy.kept()) == 5


async def asks(door: Door, name: str) -> int | None:
    """Post an event of that name, on a connection of its own; the answer's status, or None if there is none."""
    try:
        return (await door.converse(request(body(name=name), PUBLIC))).status
    except asyncio.IncompleteReadError:
        return None


async def test_a_post_that_fails_harms_no_other(behind_a_proxy: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a failure of ours may be, it is that post's only; who is not answered is cut off, and sends again."""

    def fails(event: StoredEvent, partitions: int) -> int:
        if b"fails" in event.body:
            raise RuntimeError("made up")
        return partition_of(event, partitions)

    monkeypatch.setattr("relay.queue.committing.partition_of", fails)
    names = ["fine", "fails", "fine", "fails", "fine"]
    told = await asyncio.gather(*(asks(behind_a_proxy, name) for name in names))
    assert told == [202 if name == "fine" else None for name in names]
    assert len(await behind_a_proxy.kept()) == 3


async def test_an_answer_that_fails_is_not_the_next_ones(behind_a_proxy: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection ends: an answer too few, and each would be taken for that of the post before."""
    answer = Usual.answer
    failing = iter([True])

    def fails(self: Usual, *result: Any) -> tuple[bytes, bool]:
        if next(failing, False):
            raise RuntimeError("made up")
        return answer(self, *result)

    monkeypatch.setattr(Usual, "answer", fails)
    async with await behind_a_proxy.connection() as wire:
        await held_up(behind_a_proxy, wire, [request(body(), PUBLIC)] * 2)
        assert await wire.is_closed()
    assert await asks(behind_a_proxy, "after") == 202


@pytest.mark.parametrize("cut", [0, 5], ids=["one segment", "the first one's body apart"])
async def test_many_posts_ahead_of_their_answers(
    behind_a_proxy: Door, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    """More than are parsed at once, and more bytes than are read ahead."""
    monkeypatch.setattr(short_way, "AHEAD_BYTES", 10_000)
    whole = request(body(), PUBLIC)
    many = 2 * short_way.AHEAD_BYTES // len(whole)
    async with await behind_a_proxy.connection() as wire:
        if cut:
            await wire.send(whole[:-cut])
        sending = asyncio.create_task(wire.send(whole[-cut:] + whole * (many - 1)))
        assert [(await wire.answer()).status for _ in range(many)] == [202] * many
        await sending
    assert len(await behind_a_proxy.kept()) == many


async def test_a_length_of_many_digits_cuts_no_connection(behind_a_proxy: Door) -> None:
    """Zeros in front are legal, and Python reads no number of so many digits."""
    told = b"Content-Length: " + b"0" * 5_000 + b"%d" % len(body())
    async with await behind_a_proxy.connection() as wire:
        await wire.send(request(b"", PUBLIC, told))
        await asyncio.sleep(0.05)  # the head is read by itself
        assert (await wire.ask(body())).status == 202
