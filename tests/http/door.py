"""A door under test: the real application over real HTTP, and what it kept in the real Redis.

`Door.converse` is for HTTP that no client library would send. Tests look at a door from outside.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import orjson
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from redis.asyncio import Redis

from relay.http.app import door_runner
from relay.http.cors import REPLAYED, WARNING
from relay.queue import keys
from relay.queue.stored import StoredEvent, unpack

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Expose-Headers": "",
}
PATIENCE_S = 20.0  # two busy cores


def body(**fields: Any) -> bytes:
    """Return a legal event for example.com with some fields changed."""
    return orjson.dumps({"name": "pageview", "url": "https://example.com/", "domain": "example.com"} | fields)


def padded(size: int) -> bytes:
    """Return a legal event of exactly that many bytes."""
    return body() + b" " * (size - len(body()))


def request(content: bytes = b"", *headers: bytes, line: bytes = b"POST /api/event HTTP/1.1") -> bytes:
    """Return a request as bytes; its length is told unless a header of it tells another one."""
    told = any(header.lower().startswith((b"content-length:", b"transfer-encoding:")) for header in headers)
    length = () if told else (b"Content-Length: %d" % len(content),)
    return b"\r\n".join((line, b"Host: localhost", *headers, *length, b"", content))


def chunks(*pieces: bytes) -> bytes:
    """Return the pieces as a chunked body."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b""))


def is_readable(headers: Mapping[str, str]) -> bool:
    """Whether these headers, named in lower case, are Plausible's CORS and show the relay's own that are there."""
    shown = ",".join(name for name in (REPLAYED, WARNING) if name.lower() in headers)
    expected = CORS | {"Access-Control-Expose-Headers": shown}
    return all(headers.get(name.lower()) == value for name, value in expected.items())


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it came over the socket; header names in lower case."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def has_cors(self) -> bool:
        """Whether a browser may read it."""
        return is_readable(self.headers)


class Connection:
    """A socket to the door."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, *pieces: bytes) -> None:
        """Write the pieces in segments of their own; a door that has closed is no error here."""
        for piece in pieces:
            try:
                self.writer.write(piece)
                await self.writer.drain()
            except ConnectionError:
                return
            await asyncio.sleep(0)

    async def answer(self, *, head: bool = False) -> Answer:
        """Read one answer. Raises IncompleteReadError if the connection ends before."""
        async with asyncio.timeout(PATIENCE_S):
            start, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            length = 0 if head else int(headers.get("content-length", 0))
            return Answer(int(start.split()[1]), headers, await self.reader.readexactly(length))

    async def ask(self, *pieces: bytes) -> Answer:
        """Send and read one answer."""
        await self.send(*pieces)
        return await self.answer()

    async def is_closed(self) -> bool:
        """Wait until the door closes the connection; what it sent before is thrown away."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                while await self.reader.read(65_536):
                    pass
            except ConnectionError:
                pass
        return True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()


async def connection(port: int) -> Connection:
    """Connect to a door on loopback."""
    return Connection(*await asyncio.open_connection("127.0.0.1", port))


async def kept_in(redis: Redis, partitions: int = 8) -> list[StoredEvent]:
    """Every pending event, in the order of arrival."""
    entries = []
    for p in range(partitions):
        entries += [(entry, unpack(fields[b"e"])) for entry, fields in await redis.xrange(keys.events(p))]
    return [event for _, event in sorted(entries, key=lambda entry: tuple(map(int, entry[0].split(b"-"))))]


@dataclass(frozen=True, slots=True)
class Door:
    """A door that serves, and a client of the Redis behind it."""

    client: TestClient[web.Request, web.Application]
    redis: Redis

    @property
    def port(self) -> int:
        """Where it listens."""
        port = self.client.port
        assert port is not None
        return port

    @property
    def app(self) -> web.Application:
        """The application, for what cannot be seen from outside."""
        return self.client.app

    async def post(self, content: bytes | None = None, **arguments: Any) -> ClientResponse:
        """Post to /api/event and read the answer; a legal event unless told otherwise."""
        answer = await self.client.post("/api/event", data=body() if content is None else content, **arguments)
        await answer.read()
        return answer

    async def get(self, path: str) -> ClientResponse:
        """Get a path and read the answer."""
        answer = await self.client.get(path)
        await answer.read()
        return answer

    async def connection(self) -> Connection:
        """Connect a socket."""
        return await connection(self.port)

    async def converse(self, *pieces: bytes) -> Answer:
        """Send the pieces over a new connection and read one answer."""
        async with await self.connection() as socket:
            return await socket.ask(*pieces)

    async def kept(self) -> list[StoredEvent]:
        """Every pending event, in the order of arrival."""
        return await kept_in(self.redis)


class DoorServer(TestServer):
    """Serves a door's application as `relay serve` does, on a free port."""

    __test__ = False

    async def _make_runner(self, **options: Any) -> web.BaseRunner:
        return door_runner(self.app, **options | {"handler_cancellation": False})  # which aiohttp's own turns on


def has_cors(answer: ClientResponse) -> bool:
    """Whether a browser may read it."""
    return is_readable({name.lower(): value for name, value in answer.headers.items()})


async def until(what: str, condition: Callable[[], Awaitable[object]], *, within_s: float = PATIENCE_S) -> None:
    """Ask again and again until the condition holds; fails the test with `what` if it does not in time."""
    deadline_s = time.monotonic() + within_s
    while not await condition():
        assert time.monotonic() < deadline_s, f"not within {within_s:g} s: {what}"
        await asyncio.sleep(0.02)


async def until_ready(door: Door) -> None:
    """Wait until the door says that it can keep its promise."""

    async def is_ready() -> bool:
        return (await door.get("/health/ready")).status == 200

    await until("a door that is ready", is_ready)


def errors(content: bytes) -> dict[str, Sequence[str]]:
    """Return the errors of a refusal, whose form is checked."""
    told = orjson.loads(content)
    assert list(told) == ["errors"]
    found: dict[str, Sequence[str]] = told["errors"]
    return found
