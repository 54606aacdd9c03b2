"""A table of events: CSV (comma, semicolon or tab) whose first line names the columns, one event a line.

Columns: `url`, and `name` (else pageview), `domain`, `referrer`, `ip`, `user_agent`, `occurred_at`, `id`,
`props.<name>`, `revenue.amount`, `revenue.currency`. Others are left. A cell cannot have a line end inside.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from typing import Any, Final

from relay.replay.formats.ndjson import ready
from relay.replay.formats.parsing import Format, Heading, Unread, text_of, unread
from relay.replay.hit import Hit

_TAKEN: Final = frozenset({"name", "url", "domain", "referrer", "ip", "user_agent", "occurred_at", "id"})
_DELIMITERS: Final = ",;\t"


@dataclass(slots=True)
class _Parser:
    """Remembers the header."""

    columns: list[str] = field(default_factory=list)
    delimiter: str = ","

    def __call__(self, line: bytes) -> Hit | Unread:
        if not self.columns:
            return self._header(text_of(line))
        if not line.strip() or text_of(line) == self.delimiter.join(self.columns):
            return Unread.NO_REQUEST
        try:
            [cells] = csv.reader([line.decode("utf-8", "surrogateescape")], delimiter=self.delimiter, strict=True)
        except (csv.Error, ValueError):
            return unread(line)
        if len(cells) != len(self.columns):
            return Unread.MALFORMED
        return ready(_members(dict(zip(self.columns, cells, strict=True))))

    def _header(self, line: str) -> Unread:
        delimiter = max(_DELIMITERS, key=line.count)
        try:
            [cells] = csv.reader([line], delimiter=delimiter, strict=True)
        except (csv.Error, ValueError):
            return Unread.MALFORMED
        columns = [cell.strip().lower() if cell.strip().lower() in _TAKEN else cell.strip() for cell in cells]
        if "url" not in columns:
            return Unread.MALFORMED
        self.columns, self.delimiter = columns, delimiter
        return Unread.NO_REQUEST


def _members(row: dict[str, str]) -> dict[str, Any]:
    members: dict[str, Any] = {"name": "pageview"}
    members |= {name: value for name, value in row.items() if name in _TAKEN and value}
    if props := {name[6:]: value for name, value in row.items() if name.startswith("props.") and value}:
        members["props"] = props
    if row.get("revenue.amount"):
        members["revenue"] = {"amount": row["revenue.amount"], "currency": row.get("revenue.currency", "")}
    return members


CSV: Final = Format("csv", "a first line with column names, among them url", _Parser, Heading.FIRST)
