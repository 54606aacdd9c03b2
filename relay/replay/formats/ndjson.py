"""Plausible's bodies, one a line, with `ip`, `user_agent`, `occurred_at` and `id` beside Plausible's own fields.

`occurred_at` is RFC 3339, or Unix seconds or milliseconds. The body goes out without these four.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from relay.replay.formats.objects import Fields, fields_of
from relay.replay.formats.parsing import Format, Unread, time_ms, unread
from relay.replay.hit import Hit

_BESIDE: Final = ("ip", "user_agent", "occurred_at", "id")
_PLAUSIBLES: Final = frozenset({"n", "name", "u", "url", "d", "domain"})


def _parse(line: bytes) -> Hit | Unread:
    fields = fields_of(line)
    if fields is None:
        return unread(line)
    if not _PLAUSIBLES & fields.members.keys():
        return Unread.MALFORMED
    return ready(fields.members, line)


def ready(members: Mapping[str, Any], line: bytes | None = None) -> Hit | Unread:
    """The hit of an event with its body; `line` is that body if nothing has to be taken out of it."""
    fields = Fields(members)
    rest = {name: value for name, value in members.items() if name not in _BESIDE}
    try:
        body = line if line is not None and len(rest) == len(members) else orjson.dumps(rest)
    except TypeError:  # a lone surrogate
        return Unread.MALFORMED
    return Hit(
        time_ms(fields.value("occurred_at")),
        fields.text("d", "domain"),
        "",
        "",
        "",
        None,
        fields.text("ip"),
        fields.raw("user_agent"),
        fields.text("r", "referrer") or None,
        body,
        fields.text("id") or None,
    )


NDJSON: Final = Format("ndjson", '{"name": …, "url": …, "domain": …, "ip": …, "occurred_at": …}', lambda: _parse)
