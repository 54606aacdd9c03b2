"""A body as it was before it was compressed: inflated piece by piece as it comes, and never beyond its limit.

A bomb is refused when it passes the limit, so nobody ever holds more than that. gzip and zstd may be several members
in a row, as their formats have it (RFC 1952 2.2, RFC 8878 3.1); one coding at a time.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CODINGS: Final = "gzip, deflate, zstd"
STEP_BYTES: Final = 65_536  # how much is inflated at once
WINDOW_LOG: Final = 23  # 8 MB, the most that a sender of zstd over HTTP may ask for (RFC 9659)
MEMBERS: Final = 100  # of one body; empty ones cost time and bring nothing

ZLIB: Final = zlib.MAX_WBITS
RAW: Final = -zlib.MAX_WBITS
GZIP: Final = 16 + zlib.MAX_WBITS


class TooLargeError(ValueError):
    """The body is larger than its limit, as it came or inflated."""


class CrowdedError(Exception):
    """All bodies under way together are as large as the door may hold."""


class BrokenError(ValueError):
    """The body is not what its Content-Encoding says, or ends too early. The text says which."""


class UnknownCodingError(ValueError):
    """A Content-Encoding that is not inflated here. The text says which."""


@dataclass(slots=True)
class Budget:
    """How many bytes of bodies may be held at once; each body has a share, which is given back at its end."""

    left: int

    def take(self, size: int) -> bool:
        """Take so many bytes, which have to be given back, if they are left; whether they were."""
        if size > self.left:
            return False
        self.left -= size
        return True

    def give_back(self, size: int) -> None:
        """Bytes that were taken are held no longer."""
        self.left += size

    @contextmanager
    def share(self) -> Iterator[Callable[[int], None]]:
        """Take bytes by calling what this gives. Raises CrowdedError when there are none left."""
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            if not self.take(size):
                raise CrowdedError
            taken += size

        try:
            yield take
        finally:
            self.give_back(taken)


class Inflater(Protocol):
    """One member of a compressed body, as zlib and zstd have it."""

    @property
    def eof(self) -> bool:
        """Whether its end was seen."""

    @property
    def unused_data(self) -> bytes:
        """What came behind its end."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """At most so many bytes more."""


class _Deflate:
    """zlib's inflater, which keeps what it was given and had no room for, as zstd's does."""

    def __init__(self, wbits: int) -> None:
        self._inflate = zlib.decompressobj(wbits)

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def unused_data(self) -> bytes:
        return self._inflate.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inflate.decompress(self._inflate.unconsumed_tail + data, max_length)


def _gzip(_: bytes) -> Inflater:
    return _Deflate(GZIP)


def _deflate(first: bytes) -> Inflater:
    """With zlib's frame, as RFC 9110 8.4.1.2 wants it, or without, as many send it."""
    return _Deflate(ZLIB if first[0] & 0x0F == zlib.DEFLATED and int.from_bytes(first[:2]) % 31 == 0 else RAW)


def _zstd(_: bytes) -> Inflater:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: WINDOW_LOG})


_MEMBER_OF: Final[Mapping[str, Callable[[bytes], Inflater]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,  # RFC 9110 8.4.1.3
    "deflate": _deflate,
    "zstd": _zstd,
}
_ENDS_WITH_ONE: Final = frozenset({"deflate"})


async def whole_body(
    pieces: AsyncIterator[bytes], coding: str, limit: int, take: Callable[[int], None] = lambda _: None
) -> bytes:
    """The body without its coding (a Content-Encoding, "" for none), at most `limit` bytes of it, and as many as sent.

    `take` is told of each growth. Raises TooLargeError, BrokenError, UnknownCodingError, and what those two raise.
    """
    coding = coding.strip().lower()
    if coding in {"", "identity"}:
        return await _as_sent(pieces, limit, take)
    member_of = _MEMBER_OF.get(coding)
    if member_of is None:
        raise UnknownCodingError(coding)
    stream = _Stream(coding, member_of, limit, take)
    sent = 0
    async for piece in pieces:
        sent += len(piece)
        if sent > limit:  # of members that hold nothing there could be any number
            raise TooLargeError
        stream.feed(piece)
    return stream.end()


async def _as_sent(pieces: AsyncIterator[bytes], limit: int, take: Callable[[int], None]) -> bytes:
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) > limit:
            raise TooLargeError
        take(len(piece))
    return bytes(body)


class _Stream:
    """A compressed body on its way in."""

    def __init__(
        self, coding: str, member_of: Callable[[bytes], Inflater], limit: int, take: Callable[[int], None]
    ) -> None:
        self._coding, self._member_of, self._limit, self._take = coding, member_of, limit, take
        self._member: Inflater | None = None
        self._members = 0
        self._held = b""
        self._body = bytearray()

    def feed(self, piece: bytes) -> None:
        """Inflate what has come."""
        data = self._held + piece
        self._held = b""
        while data:
            if self._member is None:
                if len(data) < 2:  # noqa: PLR2004 - what a member begins with tells its kind
                    self._held = data
                    return
                self._member = self._next(data)
            data = self._inflated(self._member, data)

    def _next(self, data: bytes) -> Inflater:
        self._members += 1
        if self._members > 1 and self._coding in _ENDS_WITH_ONE:
            raise BrokenError(f"there are bytes behind the end of the {self._coding} body")
        if self._members > MEMBERS:
            raise BrokenError(f"it has more than {MEMBERS} {self._coding} members")
        return self._member_of(data)

    def _inflated(self, member: Inflater, data: bytes) -> bytes:
        """Take all that the member makes of the data; what stands behind its end is returned."""
        try:
            while True:
                made = member.decompress(data, min(STEP_BYTES, self._limit + 1 - len(self._body)))
                self._body += made
                if len(self._body) > self._limit:
                    raise TooLargeError
                self._take(len(made))
                if member.eof:
                    self._member = None
                    return member.unused_data
                if not made:
                    return b""
                data = b""
        except (zlib.error, zstd.ZstdError) as error:
            window = " with a window of at most 8 MB" if self._coding == "zstd" else ""
            raise BrokenError(f"it is no {self._coding}{window}: it can't be inflated") from error

    def end(self) -> bytes:
        """The whole body, once all has come."""
        if self._member is not None or self._held or not self._members:
            raise BrokenError(f"the {self._coding} body ends too early")
        return bytes(self._body)
