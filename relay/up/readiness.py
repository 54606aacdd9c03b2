"""Asks a process over HTTP whether it serves yet."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from relay.settings import Address
from relay.up.faults import StartError
from relay.up.ports import reached_at

_ASK_WITHIN_S: Final = 2.0
_OK: Final = b" 200 "


@dataclass(frozen=True, slots=True)
class Answer:
    """What is waited for: the process `name` answers `GET path` with 200, within a time.

    A start takes about a second; an overloaded machine gets its time.
    """

    name: str
    address: Address
    path: str
    within_s: float = 60.0

    async def __call__(self) -> None:
        """Return once it answers. Raises StartError if it does not."""
        deadline_s = time.monotonic() + self.within_s
        while not await self._is_given():
            if time.monotonic() > deadline_s:
                raise StartError(
                    f"The {self.name} did not answer on {self.address} within {self.within_s:g} s.\n"
                    "Its log lines above say why."
                )
            await asyncio.sleep(0.05)

    async def _is_given(self) -> bool:
        host, port = reached_at(self.address), self.address.port
        try:
            async with asyncio.timeout(_ASK_WITHIN_S):
                reader, writer = await asyncio.open_connection(host, port)
                try:
                    writer.write(f"GET {self.path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                    return _OK in await reader.readline()
                finally:
                    writer.close()
        except (OSError, ValueError):  # nobody there yet, or a first line without an end
            return False
