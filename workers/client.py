"""The HTTP client that posts events: kept connections to one upstream, one event a request.

Our own, because general clients hide whether a request was written whole, and refuse to send a
User-Agent's bytes as they came. It never retries, never redirects, and knows no verdicts.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from relay.rules.judge import NoAnswer, Reply, Trouble
from workers.connection import Connection

UNSAFE: Final = bytes.maketrans(b"\r\n\0", b"   ")  # no stored text may end a header line


@dataclass(frozen=True, slots=True)
class Outbound:
    """One event as it goes out."""

    user_agent: bytes | None
    ip: str
    body: bytes


@dataclass(slots=True)
class Client:
    """Posts events to one upstream. `base_url` as in RELAY_UPSTREAM; timeouts in seconds."""

    base_url: str
    connect_timeout_s: float
    answer_timeout_s: float
    _idle: list[Connection] = field(default_factory=list)
    _tls: ssl.SSLContext | None = field(init=False)
    _host: str = field(init=False)
    _port: int = field(init=False)
    _head: bytes = field(init=False)

    def __post_init__(self) -> None:
        url = urlsplit(self.base_url)
        secure = url.scheme == "https"
        self._tls = ssl.create_default_context() if secure else None
        self._host = url.hostname or ""
        self._port = url.port or (443 if secure else 80)
        path = url.path.rstrip("/") + "/api/event"
        authority = url.netloc.rpartition("@")[2]
        self._head = f"POST {path} HTTP/1.1\r\nHost: {authority}\r\n".encode("latin-1")

    async def post(self, outbound: Outbound, may_write: Callable[[], bool] = lambda: True) -> Reply | NoAnswer | None:
        """Post one event and wait for the answer; every failure is a value.

        Connecting can take longer than a lease: `may_write` is asked when the connection stands. None if it said no.
        """
        connection = self._take() or await self._connect()
        if isinstance(connection, NoAnswer):
            return connection
        if not may_write():
            connection.close()
            return None
        answer = connection.request(self._bytes_of(outbound))
        loop = asyncio.get_running_loop()
        limit = loop.call_later(self.answer_timeout_s, connection.give_up, f"no answer in {self.answer_timeout_s:g} s")
        try:
            result = await answer
        finally:
            limit.cancel()
            if not answer.done() or answer.cancelled():
                connection.close()
        self._keep(connection)
        return result

    async def reach(self) -> NoAnswer | None:
        """Connect and hang up: None if the upstream can be reached. It sends no request."""
        connection = await self._connect()
        if isinstance(connection, NoAnswer):
            return connection
        connection.close()
        return None

    def close(self) -> None:
        """Drop all kept connections."""
        while self._idle:
            self._retire(self._idle[-1])

    def _bytes_of(self, outbound: Outbound) -> bytes:
        """The request: exactly one User-Agent, one X-Forwarded-For, and nothing else of the sender's."""
        agent = outbound.user_agent
        return b"".join(
            (
                self._head,
                b"" if agent is None else b"User-Agent: " + agent.translate(UNSAFE) + b"\r\n",
                b"X-Forwarded-For: " + outbound.ip.encode("ascii").translate(UNSAFE) + b"\r\n",
                b"Content-Type: application/json\r\nAccept: */*\r\n",
                b"Content-Length: %d\r\n\r\n" % len(outbound.body),
                outbound.body,
            )
        )

    def _take(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.retire is not None:
                connection.retire.cancel()
            if connection.reusable and connection.transport is not None and not connection.transport.is_closing():
                return connection
        return None

    def _keep(self, connection: Connection) -> None:
        if not connection.reusable:
            connection.close()
            return
        loop = asyncio.get_running_loop()
        connection.retire = loop.call_later(connection.idle_s, self._retire, connection)
        self._idle.append(connection)

    def _retire(self, connection: Connection) -> None:
        with contextlib.suppress(ValueError):
            self._idle.remove(connection)
        if connection.retire is not None:
            connection.retire.cancel()
        connection.close()

    async def _connect(self) -> Connection | NoAnswer:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.connect_timeout_s):
                _, connection = await loop.create_connection(Connection, self._host, self._port, ssl=self._tls)
        except TimeoutError:
            return NoAnswer(Trouble.UNREACHABLE, f"no connection in {self.connect_timeout_s:g} s")
        except ssl.SSLCertVerificationError as error:
            return NoAnswer(Trouble.UNREACHABLE, f"TLS: {error.verify_message}")
        except OSError as error:
            return NoAnswer(Trouble.UNREACHABLE, error.strerror or str(error) or type(error).__name__)
        return connection
