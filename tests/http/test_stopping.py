"""How a door ends: a real `relay serve` and real signals. Who is being served gets an answer."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import orjson
import pytest
from redis.asyncio import Redis

from relay.queue import keys
from tests.http.door import Answer, Connection, body, kept_in, request
from tests.http.process import Serve
from tests.http.test_privacy import HEADERS, PERSONAL
from tests.server import TestServer

READY = request(line=b"GET /health/ready HTTP/1.1")

StartServe = Callable[..., Awaitable[Serve]]


@pytest.fixture
async def start_serve(tmp_path: Path) -> AsyncIterator[StartServe]:
    """Start doors as processes of their own; none outlives the test."""
    started: list[Serve] = []

    async def go(redis_url: str, *options: str) -> Serve:
        started.append(await Serve.start(tmp_path / "serve.log", redis_url, *options))
        return started[-1]

    yield go
    for serve in started:
        serve.close()


async def until_it_says_so(socket: Connection) -> Answer:
    """Ask for readiness over one connection until the answer is no."""
    while (answer := await socket.ask(READY)).status == 200:
        pass
    return answer


async def begin(socket: Connection) -> bytes:
    """Send half a request; return the other half once the door waits for it."""
    whole = request(body(name="half"), b"Expect: 100-continue")
    half = len(whole) - 9
    assert (await socket.ask(whole[:half])).status == 100
    return whole[half:]


async def test_a_stopping_door_answers_who_is_there(start_serve: StartServe, redis: Redis, redis_url: str) -> None:
    """It is unready first; requests under way and on kept connections are kept and told that this was the last."""
    serve = await start_serve(redis_url)
    async with await serve.connection() as asking, await serve.connection() as kept, await serve.connection() as half:
        assert (await kept.ask(request(body(name="first")))).status == 202
        assert (await kept.ask(request(b"[]"))).status == 400
        rest = await begin(half)
        serve.terminate()
        answer = await until_it_says_so(asking)
        assert orjson.loads(answer.content)["reasons"] == ["the door is stopping"]
        answers = [answer, await kept.ask(request(body(name="last"))), await half.ask(rest)]
        assert [(answer.status, answer.headers["connection"], answer.has_cors) for answer in answers] == [
            (503, "close", True),
            (202, "close", True),
            (202, "close", True),
        ]
        for socket in (asking, kept, half):
            assert await socket.is_closed()
    assert await serve.exit_code() == 0
    assert [event.body for event in await kept_in(redis)] == [body(name=name) for name in ("first", "last", "half")]
    assert await redis.hgetall(keys.REFUSED) == {b"request": b"1"}  # type: ignore[misc] # redis-py types both worlds
    assert "the door ended" in serve.said().splitlines()[-1]
    assert "Traceback" not in serve.said()


async def test_a_post_that_the_queue_is_writing_is_answered(
    start_serve: StartServe, redis: Redis, redis_url: str
) -> None:
    """Also if the door has stopped listening by then."""
    serve = await start_serve(redis_url)
    async with await serve.connection() as socket:
        await redis.execute_command("CLIENT", "PAUSE", 700, "WRITE")  # type: ignore[no-untyped-call]
        await socket.send(request(body()))
        serve.terminate()
        answer = await socket.answer()
        assert (answer.status, answer.headers["connection"]) == (202, "close")
        assert await socket.is_closed()
    assert await serve.exit_code() == 0
    assert len(await kept_in(redis)) == 1


@pytest.mark.parametrize("trouble", ["a half request", "a frozen server", "no server"])
async def test_nobody_can_hold_up_the_end(start_serve: StartServe, own_server: TestServer, trouble: str) -> None:
    """Neither a slow client nor the queue's trouble makes a stop longer than the supervisor waits."""
    serve = await start_serve(own_server.url)
    async with await serve.connection() as socket:
        assert (await socket.ask(request(body()))).status == 202
        match trouble:
            case "a half request":
                await begin(socket)
            case "a frozen server":
                own_server.freeze()
                await socket.send(request(body()))
            case _:
                own_server.kill()
        began_s = time.monotonic()
        serve.terminate()
        assert await serve.exit_code() == 0
        assert time.monotonic() - began_s < 6
    assert "Traceback" not in serve.said()


async def test_the_process_logs_nobody(start_serve: StartServe, redis_url: str) -> None:
    """At the debug level, over good and broken requests, nothing that a visitor sent is in the log."""
    serve = await start_serve(redis_url, "--trusted-proxies", "127.0.0.1")
    for content in (
        request(body(), *HEADERS),
        request(b"no json", *HEADERS),
        request(body(), *HEADERS, b"X: \0"),
        request(b"s3nt1nel\r\n", *HEADERS, b"Transfer-Encoding: chunked"),
        request(body(), *HEADERS, b"X-Long: " + b"s3nt1nel" * 2_000),
        request(line=b"GET http://[s3nt1nel/ HTTP/1.1"),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ):
        async with await serve.connection() as socket:
            assert (await socket.ask(content)).status in {202, 400}
    async with await serve.connection() as socket:
        await socket.send(request(body(), *HEADERS)[:-4])
    serve.terminate()
    await asyncio.gather(serve.exit_code())
    said = serve.said().replace(f"http://127.0.0.1:{serve.port}", "the door's address")
    assert [text for text in PERSONAL if text.decode() in said] == []
    assert "Traceback" not in said
