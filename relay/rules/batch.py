"""The envelope of a batch: one body becomes its items, byte for byte, or is unreadable as a whole.

An array, or one JSON document a line (NDJSON). What an item says is for `item`; here nothing looks into one.
"""

import json
import re
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec

from relay.rules.outermost import elements

MAX_ITEMS = 1_000
MAX_BATCH_BYTES = 5_000_000  # inflated

_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_LINE = re.compile(rb"[^ \t\r\n][^\n]*")  # blank ones are none; five million of those cost nothing
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
    try:
        array = _decoder.decode(body)
    except msgspec.ValidationError:  # the only rule that an array can break here
        return Unreadable(413, _TOO_MANY)
    except RecursionError:
        return Unreadable(400, f"the array is nested too deep: {_WANTED}")
    except msgspec.DecodeError as error:
        return _leniently(body) or Unreadable(400, f"the array is no JSON, {_reason(error)}; nothing of it was kept")
    return list(map(bytes, filter(None, msgspec.structs.astuple(array))))  # no element is empty


def _leniently(body: bytes) -> list[bytes] | Unreadable | None:
    """The items of an array that is JSON to others: many writers cut a text amid an emoji and send its half.

    Each item is judged by itself, so that the one with the half is refused and the others are not. None if it is none.
    """
    try:
        if not isinstance(json.loads(body), list):
            return None
    except (ValueError, RecursionError):  # ValueError: no JSON, no UTF-8, or an integer of thousands of digits
        return None
    found = list(islice(elements(body), MAX_ITEMS + 1))
    return found if len(found) <= MAX_ITEMS else Unreadable(413, _TOO_MANY)


def _reason(error: msgspec.DecodeError) -> str:
    """What and where, without the words that only the library needs: `invalid character (byte 14)`."""
    text = str(error).removeprefix("JSON is malformed: ")
    return "it ends too early" if text == "Input data was truncated" else text
