"""Apache's and nginx's common and combined log formats, with the virtual host before the line or after it; Traefik's.

One expression a format, on bytes; possessive, so that no line however hostile takes more than one pass.
What comes after the User-Agent is looked at only for a host name: nginx's own `main` puts X-Forwarded-For there.
"""

from __future__ import annotations

import re
from typing import Final

from relay.replay.formats.parsing import NOTHING, Format, Unread, clf_ms, request_of, unescaped, unread
from relay.replay.hit import Hit

QUOTED: Final = rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
_REST: Final = rb" \S++ \S[^\[]*? ?\[([^\]]++)\] " + QUOTED + rb" (\d{3}|-) [\d-]++"
_AGENT: Final = rb" " + QUOTED + rb" " + QUOTED
_HOST = re.compile(rb'(?<!\S)"?((?=[^\s":]*[A-Za-z])[A-Za-z0-9.-]+\.[A-Za-z0-9-]+|localhost)(?::\d+)?"?(?!\S)')

_COMMON = re.compile(rb"(\S++)" + _REST)
_COMBINED = re.compile(rb"(\S++)" + _REST + _AGENT)
_TRAEFIK = re.compile(rb"(\S++)" + _REST + _AGENT + rb' \d++ "[^"]*+" "[^"]*+" \d++ms')
_VHOST = re.compile(rb"(\S+?)(?::\d+)? ([0-9A-Fa-f.:]++)" + _REST + _AGENT)


def _common(line: bytes) -> Hit | Unread:
    found = _COMMON.fullmatch(line)
    return unread(line) if found is None else _hit(b"", found[1], found[2], found[3], found[4], b"", b"")


def _combined(line: bytes) -> Hit | Unread:
    found = _COMBINED.match(line)
    if found is None:
        return unread(line)
    end = found.end()
    host = _HOST.search(line, end) if end < len(line) else None
    return _hit(b"" if host is None else host[1], *found.groups())


def _vhost(line: bytes) -> Hit | Unread:
    found = _VHOST.match(line)
    return unread(line) if found is None else _hit(*found.groups())


def _traefik(line: bytes) -> Hit | Unread:
    found = _TRAEFIK.fullmatch(line)
    return unread(line) if found is None else _hit(b"", found[1], found[2], found[3], found[4], found[5], found[6])


def _hit(  # noqa: PLR0913, PLR0917 - the groups of the expressions, in their order
    host: bytes, ip: bytes, at: bytes, request: bytes, status: bytes, referrer: bytes, agent: bytes
) -> Hit:
    method, path = request_of(request if b"\\" not in request else unescaped(request))
    if b"\\" in agent:
        agent = unescaped(agent)
    if b"\\" in referrer:
        referrer = unescaped(referrer)
    fields = (
        clf_ms(at),
        host.decode("ascii", "replace"),
        "",
        path,
        method,
        None if status == b"-" else int(status),
        ip.decode("ascii", "replace"),
        None if agent in NOTHING else agent,
        None if referrer in NOTHING else referrer.decode("utf-8", "replace"),
        None,
        None,
    )
    return _new(Hit, fields)  # as Hit(…) does, without a call of Python between: one is made for every line


_new = tuple.__new__
COMMON: Final = Format(
    "common", '203.0.113.9 - - [10/Oct/2025:13:55:36 +0000] "GET / HTTP/1.1" 200 12', lambda: _common
)
COMBINED: Final = Format(
    "combined",
    '203.0.113.9 - - [10/Oct/2025:13:55:36 +0000] "GET / HTTP/1.1" 200 12 "https://…" "Mozilla/5.0 …"',
    lambda: _combined,
)
VHOST_COMBINED: Final = Format("vhost_combined", "example.com:443 and then as combined", lambda: _vhost)
TRAEFIK: Final = Format("traefik", "combined, then count, router, server and duration", lambda: _traefik)
