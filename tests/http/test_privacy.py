"""Nothing of a person leaves the way of the event: not into Redis beside it, not into logs, metrics or health."""

import base64
import logging
from typing import Any

import pytest
from redis.asyncio import Redis

from relay.queue import keys
from tests.http.conftest import OpenDoor
from tests.http.door import Door, body, chunks, padded, request, until

IP = b"198.51.100.23"
AGENT = b"Sentinel-Agent/77"
SECRET = b"s3nt1nel"
HEADERS = (
    b"User-Agent: " + AGENT,
    b"X-Forwarded-For: " + IP,
    b"Cookie: session=" + SECRET,
    b"Authorization: Bearer " + SECRET,
    b"Proxy-Authorization: Basic " + base64.b64encode(SECRET),
    b"Referer: https://" + SECRET + b".example/",
    b"Origin: https://" + SECRET + b".example",
    b"X-Api-Key: " + SECRET,
    b"Accept-Language: " + SECRET,
    SECRET + b": x",
)
PERSONAL = (IP, AGENT, SECRET, base64.b64encode(SECRET), b"127.0.0.1")


async def whole(redis: Redis) -> bytes:
    """Everything that the server holds, as one text."""
    dump = []
    async for key in redis.scan_iter():
        value: Any
        match await redis.type(key):
            case b"stream":
                value = await redis.xrange(key)
            case b"hash":
                value = await redis.hgetall(key)  # type: ignore[misc] # redis-py types both worlds
            case b"zset":
                value = await redis.zrange(key, 0, -1, withscores=True)
            case b"string":
                value = await redis.get(key)
            case other:
                pytest.fail(f"{key!r} is a {other!r}, and nobody reads it here")
        dump.append(repr((key, value)).encode())
    return b"\n".join(dump)


async def visit(door: Door) -> None:
    """Send one request of each kind with all that must not spread."""
    for content in (body(), body(name=""), b"no json", padded(1_000_001)):
        await door.converse(request(content, *HEADERS))
    await door.converse(request(chunks(body()), *HEADERS, b"Transfer-Encoding: chunked"))
    await door.converse(request(body(), *HEADERS, b"X: \0"))
    await door.converse(request(body(), *HEADERS, b"Cookie: " + SECRET * 2_000))
    await door.converse(request(line=b"GET /%b HTTP/1.1" % SECRET))
    await door.converse(request(body(domain="unknown." + SECRET.decode()), *HEADERS))
    async with await door.connection() as socket:
        await socket.send(request(body(), *HEADERS)[:-4])


async def test_only_the_event_and_its_visitor_are_kept(open_door: OpenDoor) -> None:
    """No cookie, no authorization, no other header is anywhere in Redis; address and agent stand in the events."""
    door = await open_door(trusted_proxies="127.0.0.1", sites="example.com")
    await visit(door)
    kept = await door.kept()
    assert {(event.ip.encode(), event.user_agent) for event in kept} == {(IP, AGENT)}
    await until_counted(door)
    dump = await whole(door.redis)
    assert SECRET not in dump
    assert base64.b64encode(SECRET) not in dump
    assert (dump.count(IP), dump.count(AGENT)) == (len(kept), len(kept))
    assert b"127.0.0.1" not in dump


async def until_counted(door: Door) -> None:
    """Wait until the refusals are in Redis, too."""

    async def counted() -> bool:
        return bool(await door.redis.hgetall(keys.REFUSED))  # type: ignore[misc] # redis-py types both worlds

    await until("refusals in Redis", counted)


async def test_the_outside_shows_nobody(open_door: OpenDoor) -> None:
    """Health, metrics and the answers to others hold nothing that a visitor sent."""
    door = await open_door(trusted_proxies="127.0.0.1", sites="example.com")
    await visit(door)
    for path in ("/metrics", "/health/ready", "/health/live"):
        told = await (await door.get(path)).read()
        assert [text for text in PERSONAL if text in told] == []


async def test_the_relay_logs_nobody(open_door: OpenDoor, caplog: pytest.LogCaptureFixture) -> None:
    """Our own log lines hold nothing that a visitor sent, not even at the debug level."""
    caplog.set_level(logging.DEBUG)
    door = await open_door(trusted_proxies="127.0.0.1", sites="example.com")
    await visit(door)
    ours = [record for record in caplog.records if record.name.startswith("relay")]
    assert ours
    lines = "\n".join(f"{record.getMessage()} {vars(record)}" for record in ours).encode()
    assert [text for text in PERSONAL if text in lines] == []
