"""Clients that mean harm, or are broken, while the visitors post. They must get no failure of a door, and do none.

What of theirs is acknowledged is an event like any other, and has to arrive; what is hidden in it must not.
"""

from __future__ import annotations

import asyncio
import gzip
import random
from collections.abc import Callable
from functools import cache
from typing import Final

import orjson

from load.chaos.scene import Scene
from load.chaos.sink import STRANGER
from load.chaos.wire import HEARD_WITHIN_S, ask, hold

HOLD_S: Final = 4.0
DRIP_S: Final = 0.5
BODIES: Final = 150  # to each door
PIPELINED: Final = 25
DAMAGED: Final = 0.6
ODD: Final[dict[str, tuple[object, ...]]] = {
    "name": ("", "x" * 121, "\0", "é" * 120, 7, None, []),
    "url": ("", "x" * 3_000, "http://[::1", "about:blank", "//", {}),
    "domain": ("", "other.test", ",", "example.com,,example.com", ["example.com"]),
    "props": ("{", [], {"a": {"b": [1]}}, {f"p{n}": n for n in range(31)}, {"x" * 301: "y" * 2_001}),
    "revenue": ({"amount": "1,299.00", "currency": "usd"}, {"amount": 1e308, "currency": "x"}, "{}"),
    "referrer": (5, "\ud7ff", {}),
    "unknown": ([[[[]]]], 2**63),
}
"""What a field is set to before bytes are damaged: some of such events are taken."""
HALF_WITHIN_S: Final = 1.0  # for an answer to what may be half a request

POST: Final = b"POST /api/event HTTP/1.1"
HELD: Final = {  # how a connection begins that then says no more → how many of these to each door
    b"": 50,
    POST + b"\r\nHost: a.test\r\nX: y": 30,
    POST + b"\r\nHost: a.test\r\nContent-Length: 999999\r\n\r\n" + b" " * 20_000: 20,
    POST + b"\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n": 20,
}
DRIPS: Final = {  # and of those that go on byte by byte
    POST + b"\r\nHost: a.test\r\nX: ": 20,
    POST + b"\r\nHost: a.test\r\nContent-Length: 900000\r\n\r\n": 10,
}
TOKENS: Final = (
    *(b"", b"\0", b"\r\n", b"\r\n\r\n", b" ", b":", b";", b'"', b"\\", b"\\ud800", b"{", b"}", b"[[[[", b"9" * 40),
    *(b"1e999", b"NaN", b"null", b"\xff\xfe", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"Transfer-Encoding: chunked\r\n"),
)


@cache
def bomb() -> bytes:
    """Sixty megabytes in sixty kilobytes."""
    return gzip.compress(b"[" + b" " * 60_000_000, compresslevel=1)


def content(**fields: object) -> bytes:
    """A legal event's body."""
    return orjson.dumps({"name": "odd", "domain": "example.com", "url": "https://example.com/"} | fields)


def request(name: str, body: bytes, *headers: bytes, line: bytes = POST) -> bytes:
    """A request for the event of that name; the headers have to say where it ends."""
    return b"\r\n".join((line, b"Host: a.test", b"User-Agent: " + STRANGER + name.encode(), *headers, b"", body))


def whole(name: str, body: bytes) -> bytes:
    """A request that says truly how long it is."""
    return request(name, body, b"Content-Length: %d" % len(body))


async def crowd(scene: Scene) -> bool:
    """Half-open connections, heads that never end, bodies that stall or drip, by the hundred; half are just left."""
    held, dripping = [], []
    for port in scene.fleet.ports:
        held += [await hold(port, begin) for begin, count in HELD.items() for _ in range(count)]
        dripping += [await hold(port, begin) for begin, count in DRIPS.items() for _ in range(count)]
    slow = [one for one in dripping if one]
    opened = [one for one in held if one] + slow
    for _ in range(int(HOLD_S / DRIP_S)):
        await asyncio.sleep(DRIP_S)
        await asyncio.gather(*(one.send(b"x") for one in slow))
    for one in opened[::2]:
        one.abort()
    scene.strangers.held += opened[1::2]
    return bool(opened)


def shape(body: bytes, *headers: bytes, line: bytes = POST) -> Callable[[str, str], bytes]:
    """A request whose end can be read in two ways, with another one where a wrong reader would find it."""
    return lambda name, hidden: request(name, body + whole(hidden, content()), *headers, line=line)


BODY: Final = content()
SIZE: Final = b"Content-Length: %d" % len(BODY)
CHUNKED: Final = b"Transfer-Encoding: chunked"
IN_CHUNKS: Final = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
SHAPES: Final = (
    shape(BODY, SIZE, b"Content-Length: %d" % (2 * len(BODY))),
    shape(BODY, SIZE + b", %d" % len(BODY)),
    shape(BODY, b"Content-Length: +%d" % len(BODY)),
    shape(BODY, SIZE, b"Connection: close"),
    shape(BODY, SIZE, line=b"POST /api/event HTTP/0.9"),
    shape(IN_CHUNKS, b"Content-Length: %d" % len(IN_CHUNKS), CHUNKED),
    shape(IN_CHUNKS, CHUNKED, b"Content-Length: 4"),
    shape(IN_CHUNKS, CHUNKED + b", gzip"),
    shape(IN_CHUNKS, b"Transfer-Encoding:\r\n chunked"),
    shape(IN_CHUNKS, b"Transfer-Encoding : chunked"),
    shape(IN_CHUNKS.replace(b"\r\n", b";a\nb\r\n", 1), CHUNKED),
    shape(b"1%016x\r\n" % len(BODY) + IN_CHUNKS.partition(b"\r\n")[2], CHUNKED),
)


async def tangles(scene: Scene) -> bool:
    """Smuggling shapes, requests in single bytes, pipelines, and bombs that must not go off."""
    event, heard = scene.strangers.another_event, 0
    for port in scene.fleet.ports:
        hidden = f"{scene.strangers.another()}:1"
        shapes = [(name := event(), shape(name, hidden)) for shape in SHAPES]
        heard += sum(await asyncio.gather(*(_converse(scene, port, [name], sent, more=1) for name, sent in shapes)))
        name = event()
        heard += await _converse(scene, port, [name], *(bytes([byte]) for byte in whole(name, content())))
        names = [event() for _ in range(PIPELINED)]
        heard += await _converse(scene, port, names, b"".join(whole(name, content()) for name in names))
        for path in (b"/api/event", b"/api/events"):
            headers = b"Content-Encoding: gzip", b"Content-Length: %d" % len(bomb())
            name = event()
            sent = request(name, bomb(), *headers, line=b"POST " + path + b" HTTP/1.1")
            heard += await _converse(scene, port, [name], sent)
    return heard > 0


async def fuzz(scene: Scene) -> bool:
    """Bodies with bytes changed, doubled, left out, in pipelines; and requests whose framing is damaged as well."""
    dice = random.Random(scene.strangers.another())
    heard = 0
    for port in scene.fleet.ports:
        for _ in range(BODIES // PIPELINED):
            names = [scene.strangers.another_event() for _ in range(PIPELINED)]
            sent = b"".join(whole(name, odd(dice)) for name in names)
            heard += await _converse(scene, port, names, sent)
        names = [scene.strangers.another_event() for _ in range(PIPELINED)]
        heard += sum(await asyncio.gather(*(_halves(scene, port, name, dice) for name in names)))
    return heard > 0


async def _halves(scene: Scene, port: int, name: str, dice: random.Random) -> int:
    """Send one in two pieces, damaged behind the line that names it."""
    sent = whole(name, content())
    kept = sent.index(name.encode()) + len(name) + 2
    sent = sent[:kept] + damaged(sent[kept:], dice)
    pieces = sent[: len(sent) // 2], sent[len(sent) // 2 :]
    return await _converse(scene, port, [name], *pieces, more=1, within_s=HALF_WITHIN_S)


def odd(dice: random.Random) -> bytes:
    """A body with an odd field, or with bytes damaged, or with both."""
    key = dice.choice(list(ODD))
    body = content(**{key: dice.choice(ODD[key])})
    return damaged(body, dice) if dice.random() < DAMAGED else body


def damaged(sound: bytes, dice: random.Random) -> bytes:
    """The bytes with some of them replaced."""
    changed = bytearray(sound)
    for _ in range(dice.randint(1, 4)):
        at, size = dice.randrange(len(changed) + 1), dice.choice((0, 1, 1, 3, 20))
        changed[at : at + size] = dice.choice((dice.choice(TOKENS), dice.randbytes(2)))
    return bytes(changed)


async def _converse(
    scene: Scene, port: int, names: list[str], *pieces: bytes, more: int = 0, within_s: float = HEARD_WITHIN_S
) -> int:
    """Send what should be these events, and note what was answered; `more` answers than these could come."""
    said = await ask(port, *pieces, answers=len(names) + more, within_s=within_s)
    scene.strangers.note(names, said)
    return len(said)
