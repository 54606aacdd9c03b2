"""A request as nearly every client writes it, read out of its bytes: where it ends, and of a post what there is in it.

aiohttp's parser takes several times as long. This reads a small part of what that reads, and reads it alike: a law
holds the two against each other (tests/http/test_framing.py). Whatever is written in any other way is left to the
parser: nothing here ever refuses anything.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import msgspec

from relay.http.paths import EVENT, EVENTS
from relay.rules.visitor import USUAL_NAMES, RawHeaders, names_of

HEAD_BYTES: Final = 8_000  # the parser takes a little more in a line
SHORT_BYTES: Final = 65_536  # of a body; larger ones may stop the reading, which is for aiohttp to undo
LENGTH_DIGITS: Final = 9
MOST_HEADERS: Final = 100  # the parser takes a little more

_PATHS: Final = {b"POST %b HTTP/1.1" % path.encode(): path for path in (EVENT, EVENTS)}
_OPENINGS: Final = tuple(_PATHS)
_OTHERS: Final = re.compile(rb"(?:GET|HEAD|OPTIONS|POST) /[!-~]* HTTP/1\.1")
# One space before a value and none behind it, no empty value, no control character, nothing folded.
_LINE: Final = re.compile(rb"\r\n([A-Za-z0-9-]++): (?! )([^\x00-\x1f\x7f]++)(?<! )(?=\r\n)")
# Of these each changes how long a request is, or what becomes of its connection.
_LEFT_TO_THE_PARSER: Final = frozenset({b"transfer-encoding", b"upgrade", b"proxy-connection", b"sec-websocket-key1"})
_KEPT: Final = b"keep-alive"
_END: Final = b"\r\n\r\n"


class Framed(msgspec.Struct, gc=False):
    """Of a request what its head says: all its bytes are `size`, those of its body begin at `body_at`.

    `path`: that of the endpoint, if it is a short post to one for events. `names`: those of its headers, a line each.
    """

    path: str | None
    headers: RawHeaders
    names: bytes
    body_at: int
    size: int


def frame(segment: bytes) -> Framed | None:
    """The request that begins the bytes, once its head is whole; None if it is not, or is anything but plain."""
    head_end = segment.find(_END)
    if not 0 < head_end < HEAD_BYTES:
        return None
    line_end = segment.find(b"\r\n")
    path = _PATHS.get(segment[:line_end])
    if path is None and not _OTHERS.fullmatch(segment, 0, line_end):
        return None
    headers = _LINE.findall(segment, line_end, head_end + 2)
    names = names_of(headers)
    if segment.count(b"\r\n", 0, head_end + 2) != 1 + len(headers) or len(names) > USUAL_NAMES:
        return None
    length, waits = _length(headers, names)
    if length is None:
        return None
    body_at = head_end + len(_END)
    return Framed(None if waits or length > SHORT_BYTES else path, headers, names, body_at, body_at + length)


def _length(headers: RawHeaders, names: bytes) -> tuple[int | None, bool]:
    """Of the body, None if anything is not plain; and whether the sender waits for a 100 before he sends it."""
    places = _places(names)
    if places is None:
        return None, False
    length_at, connection_at, waits = places
    if connection_at is not None and headers[connection_at][1].lower() != _KEPT:
        return None, False
    digits = b"0" if length_at is None else headers[length_at][1]
    return (int(digits) if digits.isdigit() and len(digits) <= LENGTH_DIGITS else None), waits


def rest_of(framed: Framed | None, segment: bytes) -> int | None:
    """How many bytes are to come of the request that the segment begins; None if nobody knows, or more is there."""
    return None if framed is None or framed.size < len(segment) else framed.size - len(segment)


def may_become_post(segment: bytes) -> bool:
    """Whether the bytes are a part of a head that begins as that of a post does."""
    if len(segment) >= HEAD_BYTES or _END in segment:
        return False
    return segment.startswith(_OPENINGS) or any(opening.startswith(segment) for opening in _OPENINGS)


@lru_cache(maxsize=256)
def _places(names: bytes) -> tuple[int | None, int | None, bool] | None:
    """Among headers of these names: where Content-Length and Connection are, and whether the sender waits for a 100.

    None if one of them is unusual, or there twice.
    """
    each = names.lower().split(b"\n")
    if len(set(each)) != len(each) or len(each) > MOST_HEADERS or not _LEFT_TO_THE_PARSER.isdisjoint(each):
        return None
    if b"host" not in each:
        return None
    at = {name: place for place, name in enumerate(each)}
    return at.get(b"content-length"), at.get(b"connection"), b"expect" in at
