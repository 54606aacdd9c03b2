"""The short fields: name, hash mode, interactive; and the two readings of Elixir's that all fields share.

Rules: contract section 1, the table. No other module decides which of two keys counts.
"""

import re
from collections.abc import Mapping
from typing import Any

from relay.rules.fault import Fault
from relay.rules.text import longer_than, shown, trim

MAX_NAME_CHARACTERS = 120

_INTEGER = re.compile(r"[+-]?[0-9]++")
_ENOUGH_DIGITS = 20  # more than any limit here has; Python refuses to convert thousands of them


def either(first: Any, second: Any) -> Any:
    """Elixir's `first || second`: only null and false fall through, not "" or 0 or {}."""
    return second if first is None or first is False else first


def whole_number(value: object) -> int | None:
    """An integer, or text that Elixir's `Integer.parse` reads to its end; None for all else, true and 1.0 too.

    Beyond 20 digits only sign and hugeness are kept.
    """
    if type(value) is int:
        return value
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        magnitude = int(value.lstrip("+-0")[:_ENOUGH_DIGITS] or "0")
        return -magnitude if value[0] == "-" else magnitude
    return None


def read_name(fields: Mapping[str, Any]) -> str | Fault:
    """The event's name: text, or an integer that becomes text (the tracker's 404 event)."""
    name = either(fields.get("n"), fields.get("name"))
    if type(name) is int:
        name = str(name)
    if type(name) is str:
        if not trim(name):
            return _blank_name()
        return name if len(name) <= MAX_NAME_CHARACTERS else _long_name(name)
    return _blank_name() if name is None else _no_name(name)


def wrong_hash_mode(fields: Mapping[str, Any]) -> Fault | None:
    """What is wrong with `h` or `hashMode`; blank text is nothing, as Ecto casts it."""
    mode = either(fields.get("h"), fields.get("hashMode"))
    if mode is None or whole_number(mode) is not None or (type(mode) is str and not trim(mode)):
        return None
    return Fault("hash_mode", "is invalid", f'{_kind(mode)} is no whole number; send 1 or 0 in "hashMode" (or "h")')


def is_interactive(fields: Mapping[str, Any]) -> bool:
    """False only if the sender says `false`, in `i` too, as upstream since 2026; what is no boolean is ignored."""
    short = fields.get("i")
    said = either(short, fields.get("interactive"))
    if type(said) is bool:
        return said
    return said is not None or short is not False


def _blank_name() -> Fault:
    return Fault(
        "event_name",
        "can't be blank",
        f'give the event\'s name in "name" (or "n"), at most {MAX_NAME_CHARACTERS} characters',
    )


def _no_name(name: object) -> Fault:
    advice = f'{_kind(name)} is no name; give text or a whole number in "name" (or "n")'
    return Fault("event_name", "is invalid", advice)


def _long_name(name: str) -> str | Fault:
    if not longer_than(name, MAX_NAME_CHARACTERS):
        return name
    words = f"should be at most {MAX_NAME_CHARACTERS} character(s)"
    return Fault("event_name", words, f"{shown(name)} is too long; what differs from event to event belongs in props")


def _kind(value: object) -> str:
    """A value as a message names it: itself if it is short, else what kind of thing it is."""
    match value:
        case dict():
            return "an object"
        case list():
            return "a list"
        case _:
            return shown(value)
