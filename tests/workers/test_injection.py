"""No stored text, however it came into the queue, becomes a header line or a second request."""

import time
from collections.abc import Iterator

import orjson
from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.connection import settle_form
from relay.queue.dead import Which, find
from relay.settings import Settings
from tests.queue.samples import ledger, until
from tests.workers.rig import QUICK
from tests.workers.wire import Wire, answering, serving
from workers.runtime import build_runtime

BODY = b'{"n":"pageview"}'
EVIL = "x\r\nX-Evil: 1\r\n\r\nPOST /evil HTTP/1.1\r\nHost: evil\r\n\r\n\0\n\r"
AGENTS = ("Firefox/1", EVIL, "\r\n", "\0", "\x85\x0b\x0c", "\u00ff" * 9)
ADDRESSES = ("9.9.9.9", f"9.9.9.9{EVIL}", f"fe80::1%{EVIL}", "fe80::1%eth0", "fe80::1%\u00e9", "9.9.9.9, 8.8.8.8", "")
SITES = ("a.example", EVIL)


def forms() -> Iterator[bytes]:
    """Stored events as only a hand can write them: every agent, address and site with the other two in order."""
    for agent, ip, site in (
        *((agent, ADDRESSES[0], SITES[0]) for agent in AGENTS),
        *((AGENTS[0], ip, SITES[0]) for ip in ADDRESSES),
        *((AGENTS[0], ADDRESSES[0], site) for site in SITES),
        (EVIL, ADDRESSES[0], EVIL),
    ):
        yield b"1" + orjson.dumps([site, ip, agent, 1_780_000_000_000, ""]) + b"\n" + BODY


def is_plain(request: bytes) -> bool:
    """Six header lines of ours, each once, and the body; nothing that ends a line within one."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    names = [line.partition(b": ")[0] for line in lines]
    ours = [b"Host", b"User-Agent", b"X-Forwarded-For", b"Content-Type", b"Accept", b"Content-Length"]
    clean = not {b"\r", b"\n", b"\0"} & {bytes((byte,)) for line in lines for byte in line}
    return (first, names, body, clean) == (b"POST /api/event HTTP/1.1", ours, BODY, True)


async def test_no_stored_text_becomes_a_line(redis: Redis, redis_url: str) -> None:
    """CR, LF and NUL in a stored User-Agent, address or site: each request on the wire is one plain request of ours."""
    partitions = QUICK["partitions"]
    await settle_form(redis, partitions)
    stored = list(forms())
    for number, form in enumerate(stored):
        await redis.xadd(keys.events(number % partitions), {"e": form})
        await redis.hincrby(keys.ledger(number % partitions), "accepted", 1)  # type: ignore[misc]
    async with serving(answering) as wire:
        settings = Settings.model_validate(QUICK | {"upstream": wire.url, "redis_url": redis_url})
        runtime = build_runtime("worker", settings)
        await runtime.start()

        async def all_ended() -> bool:
            return (await ledger(redis, partitions))["pending"] == 0

        await until("all events have ended", all_ended)
        await runtime.stop(time.monotonic())
        account = await ledger(redis, partitions)
    seen(wire, account)
    unreadable = [letter async for letter in find(redis, partitions, Which(reason="unreadable"))]
    assert len(unreadable) == account["dead"] == len(ADDRESSES) - 1, "no address, no delivery; nothing is lost"


def seen(wire: Wire, account: dict[str, int]) -> None:
    """What arrived is what was delivered, and plain."""
    assert len(wire.requests) == account["delivered"]
    assert [request for request in wire.requests if not is_plain(request)] == []
    forwarded = {line for request in wire.requests for line in request.split(b"\r\n") if line.startswith(b"X-F")}
    assert forwarded == {b"X-Forwarded-For: 9.9.9.9"}
