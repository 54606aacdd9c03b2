"""HTTP by hand, to doors: requests that no client library would send, and whatever is answered."""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass
from typing import Final

ANSWERS: Final = re.compile(rb"HTTP/1\.[01] (\d{3}) [^\r]*\r\n((?:[^\r]+\r\n)*)\r\n")
HEARD_WITHIN_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Said:
    """A door's answer: its status, and whether it says when to try again."""

    status: int
    again: bool

    @property
    def is_fine(self) -> bool:
        """No failure of the door itself; that its queue is in trouble it may say."""
        return self.status < 500 or (self.status == 503 and self.again)  # noqa: PLR2004 - its own failures


@dataclass(slots=True)
class Held:
    """A connection that is kept open. It notes by itself when the door has ended it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def is_over(self) -> bool:
        """Whether the door has ended it."""
        return self.reader.at_eof() or self.reader.exception() is not None

    async def send(self, piece: bytes) -> None:
        """Send it; a door that has closed is no error."""
        with contextlib.suppress(OSError):
            self.writer.write(piece)
            await self.writer.drain()

    def abort(self) -> None:
        """End it."""
        self.writer.transport.abort()


async def hold(port: int, begin: bytes) -> Held | None:
    """Connect and send a beginning; None if nobody listens."""
    try:
        held = Held(*await asyncio.open_connection("127.0.0.1", port))
    except OSError:
        return None
    await held.send(begin)
    return held


async def ask(port: int, *pieces: bytes, answers: int = 1, within_s: float = HEARD_WITHIN_S) -> list[Said]:
    """Send the pieces one after the other; what is answered until so many answers came, it closes, or time is up."""
    held = await hold(port, b"")
    if held is None:
        return []
    sending = asyncio.create_task(_send(held, pieces))
    heard = b""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(within_s):
            while len(ANSWERS.findall(heard)) < answers and (piece := await held.reader.read(65_536)):
                heard += piece
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    held.abort()
    return [Said(int(status), b"retry-after:" in head.lower()) for status, head in ANSWERS.findall(heard)]


async def _send(held: Held, pieces: tuple[bytes, ...]) -> None:
    for piece in pieces:
        await held.send(piece)
        await asyncio.sleep(0)  # so that each is a segment of its own
