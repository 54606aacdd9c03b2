"""`Idempotency-Key`: how a sender's key is written, and whose keys may be alike. What is kept of one is for the queue.

Plausible knows no such header; its form is that of the IETF's draft (draft-ietf-httpapi-idempotency-key-header), taken
as it comes: with quotes it is another key than without.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from relay.rules.fault import Fault
from relay.rules.source import Source
from relay.rules.text import shown

MAX_CHARACTERS: Final = 255
FIELD: Final = "idempotency_key"
_HEADER: Final = b"idempotency-key"
_RIGHT: Final = f"send 1 to {MAX_CHARACTERS} printable ASCII characters, such as a new UUID for each event"

CONFLICT: Final = Fault(
    FIELD,
    "was sent with another body before",
    "send an event again with the very same bytes, and another with its own key",
)


def key_of(headers: Iterable[tuple[bytes, bytes]]) -> str | Fault | None:
    """The key of a request's raw headers; None if it has none."""
    values = [value for name, value in headers if name.lower() == _HEADER]
    if not values:
        return None
    if len(values) > 1:
        return Fault(FIELD, f"stands there {len(values)} times", "send one for each event")
    return read_key(values[0].decode("latin-1"))


def key_in(batch_key: str, place: int) -> str:
    """The key of an item without one of its own, in a batch that has one. No sender can write it as a key."""
    return f"{batch_key}\n{place}"


def is_of_batch(key: str) -> bool:
    """Whether the key is that of an item's place in a batch."""
    return "\n" in key


def read_key(value: object, field: str = FIELD) -> str | Fault:
    """A key from wherever it may come; `field` is what a fault names."""
    if not isinstance(value, str):
        return Fault(field, "is no text", _RIGHT)
    if not value.strip():
        return Fault(field, "is empty", _RIGHT)
    if len(value) > MAX_CHARACTERS:
        return Fault(field, f"has {len(value)} characters", _RIGHT)
    if not re.fullmatch(r"[ -~]+", value):
        return Fault(field, f"{shown(value)} has characters that are not printable ASCII", _RIGHT)
    return value


def scope_of(source: Source) -> str:
    """Within what keys are told apart, beside the site: a source's own, and those of all who show no key of one.

    Who shows none could otherwise use up a source's keys, as whoever reads a page can post as its web source.
    """
    return "" if source.keyless else source.name
