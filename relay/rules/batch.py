"""The envelope of a batch: one body becomes its items, byte for byte, or is unreadable as a whole.

An array, or one JSON document a line (NDJSON). What an item says is for `item`; here nothing looks into one.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec

MAX_ITEMS = 1_000
MAX_BATCH_BYTES = 5_000_000  # inflated

_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_LINE = re.compile(rb"[^ \t\r\n][^\n]*")  # blank ones are none; five million of those cost nothing
_NO_JSON = 400
_HALF = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_BETWEEN = re.compile(rb"[ \t\r\n,]*")
_WANTED = "send an array of events, or one event a line (NDJSON)"
_TOO_MANY = f"too many: a batch may have {MAX_ITEMS:,} events; send it in several"

# An array with that many places and no more: one element too many ends the reading at once, so that millions of them
# cost nothing. `Raw` is an element's own bytes.
_ARRAY = msgspec.defstruct(
    "_ARRAY", [(f"e{n}", msgspec.Raw, None) for n in range(MAX_ITEMS)], array_like=True, forbid_unknown_fields=True
)
_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_ARRAY)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why the whole batch is refused: the HTTP status, what is wrong and where."""

    status: int
    message: str


def items_in(body: bytes, *, lines: bool = False) -> list[bytes] | Unreadable:
    """The items of a batch. `lines`: it is said to be NDJSON; else the first character tells. Never raises.

    A line that is no JSON is an item of its own, and refused by itself; an array that is none has no items.
    """
    body = body.removeprefix(_BOM)
    first = body.lstrip(_SPACE)[:1]
    if not first:
        return Unreadable(400, f"the body is empty: {_WANTED}")
    if first == b"[" and not lines:
        return _elements(body)
    if first == b"{" or lines:
        found = [line[0] for line in islice(_LINE.finditer(body), MAX_ITEMS + 1)]
        return found if len(found) <= MAX_ITEMS else Unreadable(413, _TOO_MANY)
    return Unreadable(400, f"the body begins with {chr(first[0])!a}: {_WANTED}")


def _elements(body: bytes) -> list[bytes] | Unreadable:
    """The items of an array, also of one that is JSON to others only.

    Many writers cut a text amid an emoji and send its half, some write NaN, and msgspec reads none of that array. Each
    item is judged by itself, so that the one with the half is refused and the others are not.
    """
    found = _cut(body)
    if isinstance(found, Unreadable) and found.status == _NO_JSON and (readable := _readable(body)) != body:
        alike = _cut(readable)
        if isinstance(alike, list):
            return list(_as_they_came(body, alike))
        if alike.status != _NO_JSON:
            return alike
    return found


def _readable(body: bytes) -> bytes:
    """The body with what JSON does not have in other words, as long: so its items end where they did.

    Within a text this is nothing but other letters; also behind a backslash that is escaped itself.
    """
    return _HALF.sub(rb"\\u0000", body).replace(b"NaN", b"111").replace(b"Infinity", b"11111111")


def _cut(body: bytes) -> list[bytes] | Unreadable:
    try:
        array = _decoder.decode(body)
    except msgspec.ValidationError:  # the only rule that an array can break here
        return Unreadable(413, _TOO_MANY)
    except RecursionError:
        return Unreadable(_NO_JSON, f"the array is nested too deep: {_WANTED}")
    except msgspec.DecodeError as error:
        return Unreadable(_NO_JSON, f"the array is no JSON, {_reason(error)}; nothing of it was kept")
    return list(map(bytes, filter(None, msgspec.structs.astuple(array))))  # no element is empty


def _as_they_came(body: bytes, alike: Sequence[bytes]) -> Iterator[bytes]:
    """The items of a body, each of which is as long as its like."""
    at = body.index(b"[") + 1
    for each in alike:
        between = _BETWEEN.match(body, at)
        start = between.end() if between else at
        at = start + len(each)
        yield body[start:at]


def _reason(error: msgspec.DecodeError) -> str:
    """What and where, without the words that only the library needs: `invalid character (byte 14)`."""
    text = str(error).removeprefix("JSON is malformed: ")
    return "it ends too early" if text == "Input data was truncated" else text
