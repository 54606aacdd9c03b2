"""What every format is: a name, a way to read one line, and which earlier lines it has to know for that.

A line of 1 MB at most is read; nothing here does I/O. Times are cached by their text: a busy log has thousands of lines
a second, all with the same one.
"""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final

from relay.replay.hit import Hit
from relay.replay.outcomes import Refusal


class Unread(StrEnum):
    """Why a line is no hit."""

    NO_REQUEST = (
        "no_request"  # a header, a comment, a blank line, something else that a server tells: nothing is missing
    )
    MALFORMED = "malformed"  # no line of this format


Parse = Callable[[bytes], Hit | Unread | Refusal]
"""Reads a line; a line of the format that says what cannot be taken is refused at once."""


class Heading(StrEnum):
    """Which lines a parser has to see first, when it begins in the middle of a file."""

    NONE = "none"
    FIRST = "first"  # the first line of the file
    HASH = "#"  # all that begin with a hash sign


@dataclass(frozen=True, slots=True)
class Format:
    """`parser` gives a new parser, as some remember a header; `wants` says what a line of it looks like."""

    name: str
    wants: str
    parser: Callable[[], Parse]
    heading: Heading = Heading.NONE


_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_CONTROL: Final = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"v": b"\v", b"f": b"\f"}
_IN_URL = re.compile(rb"[\x21-\x7e]*+")
_NOT_IN_URL = re.compile(rb"[^\x21-\x7e]+")
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"), 1
    )
}
_CLF_TIME = re.compile(rb"(\d\d)/(\w{3})/(\d{4}):(\d\d):(\d\d):(\d\d)(?:\.(\d+))? ([+-])(\d\d)(\d\d)")
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_SECONDS_UNTIL: Final = 100_000_000_000  # seconds of the year 5138, milliseconds of 1973
_LATEST_MS: Final = 10_000_000_000_000
_LONGEST_CACHED: Final = 512
NOTHING: Final = frozenset({b"-", b""})
NO_TIME: Final = 0
"""The time of a line that says none, or none that can be read."""


def unread(line: bytes) -> Unread:
    """What a line is that does not fit: a blank one is no fault."""
    return Unread.MALFORMED if line.strip() else Unread.NO_REQUEST


def time_ms(value: object) -> int:
    """Unix milliseconds of a time as JSON and CSV have it: RFC 3339, or a number of seconds or milliseconds."""
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            return iso_ms(value)
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _LATEST_MS:
        return NO_TIME
    return int(value if value > _SECONDS_UNTIL else value * 1_000)


def unescaped(text: bytes) -> bytes:
    r"""What a server wrote as `\x22`, `\"` or `\\` (Apache and nginx)."""
    if b"\\" not in text:
        return text
    return _ESCAPE.sub(lambda found: bytes((int(found[1], 16),)) if found[1] else _plain(found[2]), text)


def _plain(letter: bytes) -> bytes:
    return _CONTROL.get(letter, letter)


def text_of(value: bytes) -> str:
    """Bytes of a log as text; what is no UTF-8 becomes U+FFFD."""
    return value.decode("utf-8", "replace")


def given(value: bytes) -> bytes | None:
    """None for what a log writes when there is nothing."""
    return None if value in NOTHING else value


@lru_cache(maxsize=4_096)
def clf_ms(text: bytes) -> int:
    """Unix milliseconds of `10/Oct/2000:13:55:36 -0700`; NO_TIME if it is none."""
    found = _CLF_TIME.fullmatch(text)
    if found is None or found[2] not in _MONTHS:
        return NO_TIME
    day, year, hour, minute, second = (int(found[group]) for group in (1, 3, 4, 5, 6))
    offset_s = (int(found[9]) * 60 + int(found[10])) * (-60 if found[8] == b"-" else 60)
    fraction_ms = int((found[7] or b"0")[:3].ljust(3, b"0"))
    try:
        at_s = timegm((year, _MONTHS[found[2]], day, hour, minute, second)) - offset_s
    except ValueError:  # the year 0
        return NO_TIME
    return _possible(at_s * 1_000 + fraction_ms)


@lru_cache(maxsize=4_096)
def iso_ms(text: str) -> int:
    """Unix milliseconds of RFC 3339 or ISO 8601; without an offset it is UTC. NO_TIME if it is none."""
    try:
        at = datetime.fromisoformat(text)
        return _possible(int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1_000))
    except (ValueError, OverflowError):
        return NO_TIME


def _possible(at_ms: int) -> int:
    """The time, if it is one that a log may have."""
    return at_ms if 0 < at_ms < _LATEST_MS else NO_TIME


def request_of(line: bytes) -> tuple[str, str]:
    """Method and target of a request line, as `_request` says; logs repeat them."""
    return _cached_request(line) if len(line) < _LONGEST_CACHED else _request(line)


def _request(line: bytes) -> tuple[str, str]:
    """Method and target of a request line; ("", "") for what is none, such as the bytes of a TLS handshake.

    Bytes that cannot stand in a URL are percent-encoded, so that those that are no UTF-8 stay what they are.
    """
    method, space, rest = line.partition(b" ")
    if not space or not method.isalpha():
        return "", ""
    target = rest[:-9] if rest[-9:-3] == b" HTTP/" else rest.rpartition(b" HTTP/")[0] or rest
    if not _IN_URL.fullmatch(target):
        target = _NOT_IN_URL.sub(lambda found: b"".join(b"%%%02X" % byte for byte in found[0]), target)
    return method.decode("ascii"), target.decode("ascii")


_cached_request = lru_cache(maxsize=16_384)(_request)
