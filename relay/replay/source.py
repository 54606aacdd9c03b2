"""A log as it is read: blocks of whole lines from a file or standard input, through whatever it is compressed with.

Offsets are those of the text, also if the file is compressed. Memory is one block, however long a line is.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, cast

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from relay.replay.batch import MAX_LINE_BYTES, Lines

BLOCK_BYTES: Final = 1_048_576
HEAD_BYTES: Final = 4_096  # of its text, by which a log is known again; some twenty lines
STDIN: Final = "-"
BROKEN: Final = (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error, zstd.ZstdError)


class UnreadableLogError(Exception):
    """The log cannot be read, or not further: the text says which and why."""


@dataclass(slots=True)
class Log:
    """An open log. `offset` and `number`: bytes and lines before what `take` gives next."""

    name: str
    file: IO[bytes]
    device: int | None
    inode: int | None
    size: int | None
    """Bytes of the file; None if that is not known."""
    compressed: bool
    live: bool = False
    """What comes is given at once: a pipe may never have a whole block."""
    head: bytes = b""
    """By which it is known again."""
    first: bytes = b""
    """At least one whole line, by which its format is found."""
    offset: int = 0
    number: int = 0
    _rest: bytes = b""
    """Read, and not given yet: the beginning of a line."""
    _dropped: int = 0
    _raw: IO[bytes] | None = None

    def take(self) -> Lines | None:
        """The next block of lines; None at the end. The last line may have an open end. Raises UnreadableLogError."""
        while True:
            chunk = self._read(BLOCK_BYTES)
            data = self._rest + chunk
            cut = data.rfind(b"\n")
            if cut >= 0:
                self._rest = data[cut + 1 :]
                return self._given(data[:cut].split(b"\n"), cut + 1)
            if not chunk:
                self._rest = b""
                return self._given([data], len(data), open_end=True) if data else None
            if len(data) > MAX_LINE_BYTES + 1:
                self._dropped += len(data) - MAX_LINE_BYTES - 1
                data = data[: MAX_LINE_BYTES + 1]
            self._rest = data

    def back(self, offset: int, number: int) -> None:
        """Read again from there, where a line begins that was given: the log is being written."""
        self._rest, self._dropped, self.offset, self.number = b"", 0, offset, number
        self.file.seek(offset)

    def skip(self, offset: int, heading: bytes | None) -> list[bytes]:
        """Go to that offset, or the next line's begin; the lines on the way that begin with `heading`.

        Raises UnreadableLogError, also if the log ends before.
        """
        found = []
        while self.offset < offset:
            lines = self.take()
            if lines is None or (lines.open_end and self.offset < offset):
                raise UnreadableLogError(f"{self.name} is shorter than when it was replayed: --restart begins anew")
            if heading is not None:
                found += [line for line in lines.lines if line.startswith(heading)]
            if self.offset > offset:
                self._give_back(lines, offset)
        return found

    def _give_back(self, lines: Lines, offset: int) -> None:
        """The block went too far: what begins at the offset or after it is given next."""
        at, kept = lines.offset + lines.dropped, 0
        for line in lines.lines:
            if at >= offset:
                break
            at, kept = at + len(line) + 1, kept + 1
        rest = b"\n".join(lines.lines[kept:])
        if kept < len(lines.lines):
            self._rest = rest + (b"" if lines.open_end else b"\n") + self._rest
        self.offset, self.number = at, lines.number + kept

    def _given(self, lines: list[bytes], size: int, *, open_end: bool = False) -> Lines:
        given = Lines(self.offset, self.number, lines, self._dropped, open_end)
        self.offset += size + self._dropped
        self.number += len(lines)
        self._dropped = 0
        return given

    def _read(self, size: int) -> bytes:
        """So many bytes, fewer only at the end, from a pipe, or before a place that cannot be read."""
        pieces: list[bytes] = []
        try:
            if self._raw is None and not self.live:
                return self.file.read(size)
            while size > 0 and (piece := cast("io.BufferedReader", self.file).read1(size)):
                pieces.append(piece)
                size = 0 if self.live else size - len(piece)
        except BROKEN as error:
            if not pieces:
                raise UnreadableLogError(f"{self.name} cannot be read further: {_said(error)}") from error
        return b"".join(pieces)

    def read_so_far(self) -> int:
        """Bytes of the file itself, which is what its size is measured in; of a pipe, of its text."""
        return self.offset if self._raw is None or self.size is None else self._raw.tell()

    def close(self) -> None:
        """Close the file."""
        self.file.close()
        if self._raw is not None:
            self._raw.close()


def open_log(name: str) -> Log:
    """Open a file, or standard input (`-`); raises UnreadableLogError."""
    raw: IO[bytes] | None = None
    try:
        raw = sys.stdin.buffer if name == STDIN else Path(name).open("rb")  # noqa: SIM115 - Log closes it
        return _log(name, raw)
    except BROKEN as error:
        if raw is not None:
            raw.close()
        raise UnreadableLogError(f"{name} cannot be read: {_said(error)}") from error


def _log(name: str, raw: IO[bytes]) -> Log:
    status = os.fstat(raw.fileno())
    regular = stat.S_ISREG(status.st_mode)
    file = _decompressed(raw)
    first = file.read(HEAD_BYTES)
    while b"\n" not in first and len(first) < MAX_LINE_BYTES and (more := file.read(HEAD_BYTES)):
        first += more
    return Log(
        "standard input" if name == STDIN else name,
        file,
        status.st_dev if regular else None,
        status.st_ino if regular else None,
        status.st_size if regular else None,
        compressed=file is not raw,
        live=file is raw and not regular,
        head=first[:HEAD_BYTES],
        first=first,
        _rest=first,
        _raw=raw if file is not raw else None,
    )


def _decompressed(raw: IO[bytes]) -> IO[bytes]:
    first = cast("io.BufferedReader", raw).peek(6)
    if first.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
    if first.startswith(b"BZh"):
        return bz2.BZ2File(raw)
    if first.startswith(b"\xfd7zXZ\x00"):
        return lzma.LZMAFile(raw)
    if first.startswith(b"\x28\xb5\x2f\xfd"):
        return cast("IO[bytes]", zstd.ZstdFile(raw))
    return raw


def _said(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
