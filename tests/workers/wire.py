"""HTTP servers that misbehave, byte by byte, on loopback: what stands in Plausible's place when a client is tested."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from relay.rules.judge import NoAnswer, Reply
from tests.queue.samples import until
from workers.client import Client, Outbound

OK: Final = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok"
LINGER_NOT: Final = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class Peer:
    """One accepted connection, as the server sees it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    wire: "Wire"

    async def request(self) -> bytes:
        """The next request, whole; b"" if the other side hung up."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            whole = head + await self.reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        self.wire.requests.append(whole)
        return whole

    async def say(self, *parts: bytes) -> None:
        """Write the parts, each as a segment of its own."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            await asyncio.sleep(0)

    def reset(self) -> None:
        """End with a TCP RST."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        self.writer.transport.abort()

    async def hung_up(self) -> None:
        """Return when the other side closes; what it still sends is not looked at."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65_536):
                pass


Script = Callable[[Peer], Awaitable[None]]


@dataclass(slots=True)
class Wire:
    """A server that runs `script` on each connection. `requests` are whole ones, in the order they came."""

    script: Script
    url: str = ""
    connections: int = 0
    open: int = 0
    requests: list[bytes] = field(default_factory=list)

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its start to its end."""
        self.connections += 1
        self.open += 1
        try:
            await self.script(Peer(reader, writer, self))
        except ConnectionError:
            pass
        finally:
            self.open -= 1
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError):
                await writer.wait_closed()


@asynccontextmanager
async def serving(script: Script, *, tls: ssl.SSLContext | None = None, small: bool = False) -> AsyncIterator[Wire]:
    """Serve while the context lasts; `small` makes the kernel keep as little unread input as it can."""
    wire = Wire(script)
    listener = socket.create_server(("127.0.0.1", 0))
    if small:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    server = await asyncio.start_server(wire.serve_one, sock=listener, ssl=tls, limit=2**21)
    wire.url = f"http{'s' if tls else ''}://127.0.0.1:{listener.getsockname()[1]}"
    try:
        yield wire
    finally:
        server.close()


EVENT: Final = Outbound(b"Firefox/140", "9.9.9.9", b'{"n":"pageview"}')
Answer = Reply | NoAnswer | None
DELIVERED: Final = Reply(202, text="ok")


async def post(client: Client, outbound: Outbound, may_write: Callable[[], bool] = lambda: True) -> Answer:
    """Send one event and wait for what came of it."""
    told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    client.send(outbound, told.set_result, may_write)
    return await told


async def answering(peer: Peer) -> None:
    """A server without faults."""
    while await peer.request():
        await peer.say(OK)


async def silent(peer: Peer) -> None:
    """Read the request and say nothing."""
    await peer.request()
    await peer.hung_up()


@asynccontextmanager
async def client_to(script: Script, answer_timeout_s: float = 5.0) -> AsyncIterator[tuple[Client, Wire]]:
    """A client to a server that behaves so."""
    async with serving(script) as wire:
        client = Client(wire.url, 2.0, answer_timeout_s)
        yield client, wire
        client.close()
        await until("the client hung up", lambda: wire.open == 0)
