"""An event for several sites becomes one body for each; not a byte beside the site changes.

Each is sent and settled on its own (design, section 4). The body was parsed before, so it is known to be JSON.
"""

import re
from collections.abc import Iterator

import orjson

from relay.rules.domain import sites_in
from relay.rules.event import Event
from relay.rules.fields import either

# All that has a meaning between the values of JSON; numbers and words fall between the matches.
_MARK = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}:,]', re.DOTALL)
_JSON_SPACE = b" \t\r\n"


def bodies_by_site(event: Event) -> list[tuple[str, bytes]]:
    """One (site, body) for each site of the event as parsed, doubled ones too; a single site keeps its body."""
    if len(event.sites) == 1:
        return [(event.sites[0], event.body)]
    fields = orjson.loads(event.body)
    key = "domain" if either(fields.get("d"), None) is None else "d"
    between = _without(event.body, key)
    return [(site, orjson.dumps(_spelled(site)).join(between)) for site in event.sites]


def _spelled(site: str) -> str:
    """What Plausible reads as exactly this site: the part of a list loses a `www.` only once."""
    return site if sites_in(site) == (site,) and site else f"www.{site}"


def _without(body: bytes, key: str) -> list[bytes]:
    """The pieces of `body` before, between and after the values of `key`."""
    pieces, end = [], 0
    for start, stop in _values_of(body, key):
        pieces.append(body[end:start])
        end = stop
    return [*pieces, body[end:]]


def _values_of(body: bytes, key: str) -> Iterator[tuple[int, int]]:
    """Where the values of a key stand in the outermost object, without the space around them."""
    depth, text, start = 0, b"", None
    for found in _MARK.finditer(body):
        mark = found[0]
        if mark in b"{[":
            depth += 1
        elif mark in b"}]":
            depth -= 1
        elif depth == 1 and mark[:1] == b'"':
            text = mark
        elif depth == 1 and mark == b":" and orjson.loads(text) == key:
            start = found.end()
        if start is not None and (depth == 0 or (depth == 1 and mark == b",")):
            yield _stripped(body, start, found.start())
            start = None


def _stripped(body: bytes, start: int, stop: int) -> tuple[int, int]:
    value = body[start:stop]
    return start + len(value) - len(value.lstrip(_JSON_SPACE)), start + len(value.rstrip(_JSON_SPACE))
