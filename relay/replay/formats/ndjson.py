"""Plausible's bodies, one a line, with `ip`, `user_agent`, `device`, `occurred_at` and `id` beside Plausible's fields.

`occurred_at` is RFC 3339, or Unix seconds or milliseconds; `device` is as in a batch (relay.rules.device). The body
goes out without these five, and all else of it stays as it was written, byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from relay.replay.formats.objects import Fields
from relay.replay.formats.parsing import Format, Unread, time_ms, unread
from relay.replay.hit import Hit
from relay.replay.outcomes import Refusal, invalid
from relay.rules.device import read_device
from relay.rules.document import read_object
from relay.rules.fault import Fault
from relay.rules.item import OWN_KEYS, body_of, members_of

_PLAUSIBLES: Final = frozenset({"n", "name", "u", "url", "d", "domain"})


def _parse(line: bytes) -> Hit | Unread | Refusal:
    fields = read_object(line)
    if isinstance(fields, Fault):
        return _faulty(line, fields)
    if not _PLAUSIBLES & fields.keys():
        return Unread.MALFORMED
    if not OWN_KEYS & fields.keys():
        return _hit(Fields(fields), line, None)
    members = members_of(line)
    if isinstance(members, Fault):
        return invalid(members)
    agent = None if fields.get("device") is None else read_device(members["device"]).agent
    if isinstance(agent, Fault):
        return invalid(agent)
    return _hit(Fields(fields), body_of({key: raw for key, raw in members.items() if key not in OWN_KEYS}), agent)


def _faulty(line: bytes, fault: Fault) -> Unread | Refusal:
    """An event that cannot be read for sure, as a key stands there twice, or it is too long; else no line of these."""
    try:
        members = orjson.loads(line)
    except ValueError:
        return unread(line)
    return invalid(fault) if isinstance(members, dict) and _PLAUSIBLES & members.keys() else Unread.MALFORMED


def ready(members: Mapping[str, Any]) -> Hit | Unread:
    """The hit of an event whose members are texts."""
    rest = {name: value for name, value in members.items() if name not in OWN_KEYS}
    try:
        return _hit(Fields(members), orjson.dumps(rest), None)
    except TypeError:  # a lone surrogate
        return Unread.MALFORMED


def _hit(fields: Fields, body: bytes, device: bytes | None) -> Hit:
    """The hit of an event with its body; `device` is the User-Agent of whoever names none himself."""
    agent = fields.raw("user_agent")
    return Hit(
        time_ms(fields.value("occurred_at")),
        fields.text("d", "domain"),
        "",
        "",
        "",
        None,
        fields.text("ip"),
        device if agent is None else agent,
        fields.text("r", "referrer") or None,
        body,
        fields.text("id") or None,
    )


NDJSON: Final = Format("ndjson", '{"name": …, "url": …, "domain": …, "ip": …, "occurred_at": …}', lambda: _parse)
