"""The outermost object of a body, byte for byte: where each value stands, and whether a key stands there twice.

For bodies that were parsed before, so they are known to be JSON; of any depth, and of a hundred thousand keys.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import msgspec

_TO_VALUE = re.compile(rb'[ \t\r\n{,]*+"[^"\\]*+(?:\\.[^"\\]*+)*+"[ \t\r\n]*+:[ \t\r\n]*+', re.DOTALL)
_cut = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
ORJSON_DEPTH = 1_024
_BACKSLASH, _SPACE, _LINE_FEED, _TAB, _RETURN = b"\\ \n\t\r"


@contextmanager
def deep_enough() -> Iterator[None]:
    """Let who parses by Python's limit of recursion go as deep as orjson does, which goes a little deeper."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(limit + ORJSON_DEPTH)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def members(body: bytes) -> Iterator[tuple[str, int, int]]:
    """Each key of the outermost object, none of which stands there twice, and where its value begins and ends.

    Without the space around it. msgspec cuts in C; between two values there is nothing but a comma and a key.
    """
    with deep_enough():
        values = _cut(body)
    stop = 0
    for key, value in values.items():
        found = _TO_VALUE.match(body, stop)
        start = found.end() if found else stop
        stop = start + len(bytes(value))
        yield key, start, stop


def doubled_key(body: bytes, fields: Mapping[str, object]) -> str | None:
    """A key that stands twice in the outermost object, whose members were read as `fields`.

    Of two equal keys Plausible's parser (Jason) takes the first and ours the last, so what was checked would not
    be what is counted. As many ends of keys as there are keys tell most bodies apart from that without looking closer.
    """
    if not is_odd(body):
        ends = body.count(b'":')
        if ends == _two_deep(fields) or ends == _count(fields):
            return None
    seen = set()
    for key in _keys(body):
        if key in seen:
            return key
        seen.add(key)
    return None


def is_odd(body: bytes) -> bool:
    """With an escaped quote a text may hold what looks like a key's end; with space before its colon, an end does not.

    One byte is looked for first: that takes a twentieth of the time of two, and most bodies have none of these.
    """
    return (
        (_BACKSLASH in body and b'\\"' in body)
        or (_SPACE in body and b'" ' in body)
        or (_LINE_FEED in body and b'"\n' in body)
        or (_TAB in body and b'"\t' in body)
        or (_RETURN in body and b'"\r' in body)
    )


def _two_deep(fields: Mapping[str, object]) -> int:
    """How many keys there are in the outermost object and in those right within it: all that most bodies have."""
    count = len(fields)
    for value in fields.values():
        if type(value) is dict:
            count += len(value)
    return count


def _count(fields: Mapping[str, object]) -> int:
    """How many keys there are, at any depth, of equal ones in an object one."""
    count = len(fields)
    inner = [value for value in fields.values() if type(value) is dict or type(value) is list]
    while inner:
        one = inner.pop()
        if isinstance(one, dict):
            count += len(one)
        values: Iterable[object] = one.values() if isinstance(one, dict) else one
        inner += [value for value in values if type(value) is dict or type(value) is list]
    return count


def _keys(body: bytes) -> Iterator[str]:
    """The keys of the outermost object, doubled ones too; in C, as a body may have a hundred thousand."""
    with deep_enough():
        pairs = json.loads(body, object_pairs_hook=list, parse_int=str)  # Python refuses integers of 4,300 digits
    return (key for key, _ in pairs)
