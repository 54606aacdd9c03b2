"""The outermost object of a body, byte for byte: where each value stands, and whether a key stands there twice.

For bodies that were parsed before, so they are known to be JSON; of any depth, and of a hundred thousand keys.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec
import orjson

# All that has a meaning between the values of JSON; numbers and words fall between the matches.
_MARK = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}:,]', re.DOTALL)
_TO_VALUE = re.compile(rb'[ \t\r\n{,]*+"[^"\\]*+(?:\\.[^"\\]*+)*+"[ \t\r\n]*+:[ \t\r\n]*+', re.DOTALL)
_cut = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_JSON_SPACE = b" \t\r\n"
_BACKSLASH, _SPACE, _LINE_FEED, _TAB, _RETURN = b"\\ \n\t\r"


def members(body: bytes) -> Iterator[tuple[str, int, int]]:
    """Each key of the outermost object, none of which stands there twice, and where its value begins and ends.

    Without the space around it. msgspec cuts in C; between two values there is nothing but a comma and a key.
    """
    try:
        values = _cut(body)
    except RecursionError:  # it goes as deep as Python does, orjson a little deeper
        yield from _marked(body)
        return
    stop = 0
    for key, value in values.items():
        found = _TO_VALUE.match(body, stop)
        start = found.end() if found else stop
        stop = start + len(bytes(value))
        yield key, start, stop


def _marked(body: bytes) -> Iterator[tuple[str, int, int]]:
    """The same of a body of any depth, doubled keys too; slow."""
    depth, text, key, start = 0, b"", "", None
    for found in _MARK.finditer(body):
        mark = found[0]
        if mark in b"{[":
            depth += 1
        elif mark in b"}]":
            depth -= 1
        elif depth == 1 and mark[:1] == b'"':
            text = mark
        elif depth == 1 and mark == b":":
            key, start = orjson.loads(text), found.end()
        if start is not None and (depth == 0 or (depth == 1 and mark == b",")):
            yield key, *_stripped(body, start, found.start())
            start = None


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
    try:
        pairs = json.loads(body, object_pairs_hook=list, parse_int=str)  # Python refuses integers of 4,300 digits
    except RecursionError:  # deeper than Python's parser goes, though not than orjson's
        return (key for key, _, _ in _marked(body))
    return (key for key, _ in pairs)


def _stripped(body: bytes, start: int, stop: int) -> tuple[int, int]:
    value = body[start:stop]
    return start + len(value) - len(value.lstrip(_JSON_SPACE)), start + len(value.rstrip(_JSON_SPACE))
