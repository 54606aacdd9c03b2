r"""A line that is a JSON object, also as servers write it that know of JSON only the braces.

They escape as `\x22`, and leave bytes that are no UTF-8: these stay in a User-Agent, and become U+FFFD elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

_HEX = re.compile(r"\\x([0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Fields:
    """The members of a line's object; each question takes the first of the names that has a value."""

    members: Mapping[str, Any]

    def text(self, *names: str) -> str:
        """A text or number as text; "" if there is none, or a dash."""
        value = self.value(*names)
        if isinstance(value, str):
            return "" if value == "-" else value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return "" if isinstance(value, bool) or not isinstance(value, int | float) else str(value)

    def raw(self, *names: str) -> bytes | None:
        """The bytes of a text; None if there is none, or a dash."""
        value = self.value(*names)
        if not isinstance(value, str) or value in {"", "-"}:
            return None
        return value.encode("utf-8", "surrogateescape")

    def number(self, *names: str) -> int | None:
        """A whole number, also if it is written as text."""
        text = self.text(*names)
        return int(text) if text.isascii() and text.isdigit() else None

    def value(self, *names: str) -> Any:
        """Whatever JSON has there; None if nothing."""
        for name in names:
            value = self.members.get(name)
            if value is not None and value != "":
                return value
        return None

    def inner(self, name: str) -> Fields:
        """An object inside; empty if there is none."""
        value = self.members.get(name)
        return Fields(value if isinstance(value, dict) else {})


def fields_of(line: bytes) -> Fields | None:
    """The object of a line; None if it is none."""
    if not line.lstrip().startswith(b"{"):
        return None
    try:
        members = orjson.loads(line)
    except ValueError:
        members = _mended(line)
    return Fields(members) if isinstance(members, dict) else None


def _mended(line: bytes) -> Any:
    """Each byte as a character of latin-1, so that JSON can be read; then bytes again."""
    text = _HEX.sub(r"\\u00\1", line.decode("latin-1"))
    try:
        members = orjson.loads(text)
    except ValueError:
        return None
    return _bytewise(members)


def _bytewise(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _bytewise(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_bytewise(inner) for inner in value]
    if not isinstance(value, str):
        return value
    try:
        return value.encode("latin-1").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return value
