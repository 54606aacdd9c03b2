"""The kinds of connection to the queue's server: TCP, TLS, unix socket, and by Sentinel.

They are redis-py's, mended in two things: a cancelled task ends, and a server that became a replica is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

from redis.asyncio import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.sentinel import Sentinel
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError
from redis.exceptions import TimeoutError as RedisTimeoutError

from relay.settings.urls import SentinelUrl


class ReplicaError(RedisConnectionError):
    """The server takes no writes, as it is a replica; the connection was closed."""


class _Mended(AbstractConnection):
    """What all kinds have in common."""

    async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:  # noqa: FBT001, FBT002 - redis-py's own form
        """Write a command; redis-py's own write, without a time limit of its own, within ours.

        redis-py writes within `asyncio.wait_for`, and that of Python 3.11 loses a cancellation that comes just when
        the write ends (python/cpython#86296): the task then goes on for ever. `asyncio.timeout` loses none.
        """
        if not self.is_connected:
            await self.connect()  # type: ignore[no-untyped-call]
        elif check_health:
            await self.check_health()  # type: ignore[no-untyped-call]
        limit_s, self.socket_timeout = self.socket_timeout, None
        try:
            async with asyncio.timeout(limit_s):
                await super().send_packed_command(command, check_health=False)
        except TimeoutError:
            raise RedisTimeoutError("Timeout writing to socket") from None
        finally:
            self.socket_timeout = limit_s

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """Read an answer; that the server is a replica ends the connection, as the next one may find the new master."""
        try:
            return await super().read_response(*args, **options)
        except ReadOnlyError:
            await self.disconnect(nowait=True)
            raise ReplicaError("the server is a replica, which takes no writes") from None


class Tcp(_Mended, Connection):
    """`redis://`."""


class Tls(_Mended, SSLConnection):
    """`rediss://`."""


class Unix(_Mended, UnixDomainSocketConnection):
    """`unix://`."""


class BySentinel(Tcp):
    """`redis+sentinel://`: each new connection asks the Sentinels which server is the master now."""

    def __init__(self, *, sentinel: SentinelUrl, **options: Any) -> None:
        super().__init__(db=sentinel.db, username=sentinel.username, password=sentinel.password, **options)
        self._sentinel = sentinel

    async def _connect(self) -> None:
        limit_s = self.socket_connect_timeout
        own = {"socket_timeout": limit_s, "socket_connect_timeout": limit_s}
        asked = Sentinel(  # type: ignore[no-untyped-call]
            self._sentinel.hosts, sentinel_kwargs=own | {"password": self._sentinel.sentinel_password}
        )
        try:
            self.host, self.port = await asked.discover_master(self._sentinel.service)
        finally:
            for client in asked.sentinels:
                await client.aclose()
        await super()._connect()  # type: ignore[no-untyped-call]


KINDS: Final[Mapping[type, type[AbstractConnection]]] = {
    Connection: Tcp,
    SSLConnection: Tls,
    UnixDomainSocketConnection: Unix,
}
"""redis-py's kinds and ours in their place."""
