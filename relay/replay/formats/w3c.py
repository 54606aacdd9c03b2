"""W3C extended logs: IIS's (spaces, `+` in values) and CloudFront's (tabs, URL-encoded). `#Fields:` names the columns.

https://www.w3.org/TR/WD-logfile, and CloudFront's standard logs in AWS's Developer Guide. Times are UTC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_to_bytes

from relay.replay.formats.parsing import Format, Heading, Unread, iso_ms, text_of, unread
from relay.replay.hit import Hit

_CELL = re.compile(rb'"((?:[^"]|"")*)"|(\S+)')
_ENCODED_TWICE = re.compile(rb"%[0-9A-Fa-f]{2}")
_SCHEME: Final = {b"443": "https", b"80": "http", b"https": "https", b"http": "http", b"wss": "https", b"ws": "http"}


@dataclass(slots=True)
class _Parser:
    """Remembers the header."""

    tabs: bool
    columns: dict[str, int] = field(default_factory=dict)
    date: str = ""

    def __call__(self, line: bytes) -> Hit | Unread:
        if line.startswith(b"#"):
            return self._header(line)
        if (b"\t" in line) is not self.tabs or not self.columns:
            return unread(line)
        cells = line.split(b"\t") if self.tabs else _cells(line)
        if len(cells) != len(self.columns):
            return unread(line)
        return self._hit(cells)

    def _header(self, line: bytes) -> Unread:
        name, _, value = line.partition(b":")
        if name.lower() == b"#fields":
            self.columns = {text_of(column).lower(): index for index, column in enumerate(value.split())}
        elif name.lower() == b"#date":
            self.date = text_of(value).strip().partition(" ")[0]
        return Unread.NO_REQUEST

    def _hit(self, cells: list[bytes]) -> Hit:
        agent, referrer = self._value(cells, "cs(user-agent)"), self._value(cells, "cs(referer)")
        date, at = text_of(self._cell(cells, "date")) or self.date, text_of(self._cell(cells, "time"))
        path = text_of(self._cell(cells, "cs-uri-stem") or self._cell(cells, "cs-uri"))
        query = text_of(self._cell(cells, "cs-uri-query"))
        status = self._cell(cells, "sc-status")
        return Hit(
            iso_ms(f"{date}T{at}"),
            text_of(self._cell(cells, "x-host-header", "cs-host", "cs(host)")),
            _SCHEME.get(self._cell(cells, "cs-protocol", "s-port").lower(), ""),
            f"{path}?{query}" if query else path,
            text_of(self._cell(cells, "cs-method")),
            int(status) if status.isdigit() else None,
            text_of(self._cell(cells, "c-ip")),
            agent or None,
            text_of(referrer) or None,
        )

    def _cell(self, cells: list[bytes], *names: str) -> bytes:
        """As it stands there; empty for a dash and for a column that is not logged."""
        for name in names:
            index = self.columns.get(name)
            if index is not None and cells[index] != b"-":
                return cells[index]
        return b""

    def _value(self, cells: list[bytes], name: str) -> bytes:
        """Decoded. CloudFront's older logs encode a User-Agent twice."""
        cell = self._cell(cells, name)
        if not self.tabs:
            return cell.replace(b"+", b" ")
        value = unquote_to_bytes(cell)
        return unquote_to_bytes(value) if _ENCODED_TWICE.search(value) and b" " not in value else value


def _cells(line: bytes) -> list[bytes]:
    if b'"' not in line:
        return line.split()
    return [found[2] or found[1].replace(b'""', b'"') for found in _CELL.finditer(line)]


CLOUDFRONT: Final = Format(
    "cloudfront", "a line #Fields: …, then cells between tabs", lambda: _Parser(tabs=True), Heading.HASH
)
W3C: Final = Format("w3c", "a line #Fields: …, then cells between spaces", lambda: _Parser(tabs=False), Heading.HASH)
