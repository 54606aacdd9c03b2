"""The events that share an entry: the id of each, which of them are pending, and what is kept of a dead one.

The entry stays until the last of its events has its outcome; until then the hash `bundles` (keys.py) knows which have.
An event's id is its entry's, and in a bundle a dot and its place there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from relay.queue.bundle import COUNT_AT, count_in, events_in
from relay.queue.stored import BUNDLE, StoredEvent, UnreadableError, pack_small

PENDING: Final = b"0"  # of an event in `bundles`: it has no outcome
Found = tuple[bytes, StoredEvent | UnreadableError]
"""An event's id, and the event, or why it can't be read."""


def pending_of(entry_id: bytes, form: bytes, state: bytes) -> list[Found]:
    """Of an entry of any form the events that are pending, with their ids.

    `state`: what `bundles` says of the entry, empty if nothing.
    """
    events: Sequence[StoredEvent | UnreadableError]
    try:
        events = events_in(form)
    except UnreadableError as error:
        events = [error] * count_in(form)
    if form[:1] != BUNDLE or len(form) <= COUNT_AT:
        return [(entry_id, events[0])]
    return [
        (part_id(entry_id, place), event)
        for place, event in enumerate(events)
        if not state or state[place : place + 1] == PENDING
    ]


def part_id(entry_id: bytes, place: int) -> bytes:
    """The id of the event at that place of a bundle."""
    return b"%b.%d" % (entry_id, place)


def is_part(event_id: bytes) -> bool:
    """Whether the event shares its entry."""
    return b"." in event_id


def apart(event_id: bytes, event: StoredEvent) -> bytes:
    """The form of an event that leaves its bundle, as a letter or to wait by itself; empty if it is in none."""
    return pack_small(event) if is_part(event_id) else b""


def damaged_part(form: bytes, event_id: bytes) -> bytes:
    """What is kept of an event in a bundle that can't be read; empty if it is no bundle's.

    A letter for each event, as each is counted, and each with all bytes. It is no form itself: sent again it is one
    unreadable event, not as many as the bundle had.
    """
    _, dot, place = event_id.partition(b".")
    return b"part %b of %b" % (place, form) if dot else b""
