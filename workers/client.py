"""The HTTP client that posts events: kept connections to one upstream, one event a request.

Our own, because general clients hide whether a request was written whole, and refuse to send a
User-Agent's bytes as they came. It never retries, never redirects, and knows no verdicts.
"""

from __future__ import annotations

import asyncio
import logging
import math
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from relay.rules.judge import NoAnswer, Trouble
from workers.connection import Connection, OnAnswer

log = logging.getLogger(__name__)

UNSAFE: Final = bytes.maketrans(b"\r\n\0", b"   ")  # no stored text may end a header line


class Outbound(NamedTuple):
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
    _open: set[Connection] = field(default_factory=set)
    """Those that stand, busy or idle."""
    _look_s: float = math.inf
    """When they are looked after next, in the loop's time."""
    _timer: asyncio.TimerHandle | None = None
    _connecting: set[asyncio.Task[None]] = field(default_factory=set)
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

    def send(self, outbound: Outbound, on_answer: OnAnswer, may_write: Callable[[], bool] = lambda: True) -> None:
        """Post one event; `on_answer` is called later, once: every failure is a value.

        Connecting can take longer than a lease: `may_write` is asked when the connection stands. The answer is None
        if it said no. Over a kept connection no task is needed, and that is how most events go.
        """
        connection = self._take() if may_write() else None
        if connection is not None:
            self._write(connection, outbound, on_answer)
            return
        task = asyncio.get_running_loop().create_task(self._send_anew(outbound, on_answer, may_write))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _send_anew(self, outbound: Outbound, on_answer: OnAnswer, may_write: Callable[[], bool]) -> None:
        connection = await self._connect()
        if isinstance(connection, NoAnswer):
            on_answer(connection)
        elif may_write():
            self._write(connection, outbound, on_answer)
        else:
            self._retire(connection)
            on_answer(None)

    async def reach(self) -> NoAnswer | None:
        """Connect and hang up: None if the upstream can be reached. It sends no request."""
        connection = await self._connect()
        if isinstance(connection, NoAnswer):
            return connection
        self._retire(connection)
        return None

    def close(self) -> None:
        """Drop all kept connections."""
        while self._idle:
            self._retire(self._idle.pop())

    def _bytes_of(self, outbound: Outbound) -> bytes:
        """The request: exactly one User-Agent, one X-Forwarded-For, and nothing else of the sender's."""
        agent = outbound.user_agent
        return b"".join(
            (
                self._head,
                b"" if agent is None else b"User-Agent: " + agent.translate(UNSAFE) + b"\r\n",
                b"X-Forwarded-For: " + outbound.ip.encode("ascii", "replace").translate(UNSAFE) + b"\r\n",
                b"Content-Type: application/json\r\nAccept: */*\r\n",
                b"Content-Length: %d\r\n\r\n" % len(outbound.body),
                outbound.body,
            )
        )

    def _write(self, connection: Connection, outbound: Outbound, on_answer: OnAnswer) -> None:
        connection.request(self._bytes_of(outbound), on_answer)
        self._watch(connection, self.answer_timeout_s)

    def _take(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable and connection.transport is not None and not connection.transport.is_closing():
                return connection
            self._retire(connection)
        return None

    def _keep(self, connection: Connection) -> None:
        """Its request has ended."""
        if connection.reusable:
            self._idle.append(connection)
            self._watch(connection, connection.idle_s)
        else:
            self._retire(connection)

    def _retire(self, connection: Connection) -> None:
        self._open.discard(connection)
        connection.close()

    def _watch(self, connection: Connection, for_s: float) -> None:
        """Look after the connection in so many seconds. One timer for all: to start one a request costs too much."""
        loop = connection.loop
        connection.due_s = loop.time() + for_s
        if connection.due_s < self._look_s:
            if self._timer is not None:
                self._timer.cancel()
            self._look_s = connection.due_s
            self._timer = loop.call_at(self._look_s, self._look)

    def _look(self) -> None:
        """End what is due: requests without an answer, and connections without a request."""
        now_s = asyncio.get_running_loop().time()
        self._look_s, self._timer = math.inf, None
        for connection in [connection for connection in self._open if connection.due_s <= now_s]:
            if connection not in self._open or connection.due_s > now_s:
                continue  # what one that was given up gave way to has taken this one meanwhile, or seen it end
            if connection.busy:
                connection.give_up(f"no answer in {self.answer_timeout_s:g} s")
            else:
                self._idle.remove(connection)
                self._retire(connection)
        if self._open:
            soonest = min(self._open, key=lambda connection: connection.due_s)
            self._watch(soonest, soonest.due_s - now_s)

    async def _connect(self) -> Connection | NoAnswer:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.connect_timeout_s):
                _, connection = await loop.create_connection(
                    lambda: Connection(self._keep), self._host, self._port, ssl=self._tls
                )
        except TimeoutError:
            return NoAnswer(Trouble.UNREACHABLE, f"no connection in {self.connect_timeout_s:g} s")
        except ssl.SSLCertVerificationError as error:
            return NoAnswer(Trouble.UNREACHABLE, f"TLS: {error.verify_message}")
        except OSError as error:
            return NoAnswer(Trouble.UNREACHABLE, error.strerror or str(error) or type(error).__name__)
        except Exception as error:
            log.exception("connecting failed inside the relay")
            return NoAnswer(Trouble.UNREACHABLE, type(error).__name__)
        self._open.add(connection)
        return connection
