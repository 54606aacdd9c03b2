"""Accepted events as they are written: to which partition each goes, and which of them share an entry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Final

from relay.queue.bundle import MOST_EVENTS, pack_bundle
from relay.queue.stored import BUNDLE, HOUR_MS, SMALL, Packed, StoredEvent, pack, pack_small, partition_of

FEWEST_EVENTS: Final = 3  # two together take less, but cost the door more than twice one
_SMALL, _BUNDLE = SMALL.decode(), BUNDLE.decode()
_visitor = itemgetter(0, 1, 2)


def packed(partition: int, events: Sequence[StoredEvent], forms: str) -> list[Packed]:
    """A partition's events as they are written, in their order; `forms`: the versions that all workers read."""
    return pack_together(partition, events) if _BUNDLE in forms else packed_apart(partition, events, forms)


def packed_apart(partition: int, events: Sequence[StoredEvent], forms: str) -> list[Packed]:
    """The same, each in an entry of its own."""
    write: Callable[[StoredEvent], bytes] = pack_small if _SMALL in forms else pack
    return [Packed(partition, event.tally, write(event)) for event in events]


def places_of(events: Sequence[StoredEvent], partitions: int) -> list[int]:
    """The partition of each event. Those of one visitor, whom a batch has hundreds of, are looked up together."""
    places: list[int] = []
    for _, run in groupby(events, _visitor):
        some = list(run)
        places += [partition_of(some[0], partitions)] * len(some)
    return places


def pack_together(partition: int, events: Sequence[StoredEvent]) -> list[Packed]:
    """A partition's events as they are written, in their order, neighbours in one entry."""
    groups = [events[first : first + MOST_EVENTS] for first in range(0, len(events), MOST_EVENTS)]
    return [entry for group in groups for entry in _packed(partition, group)]


def _packed(partition: int, group: Sequence[StoredEvent]) -> list[Packed]:
    """The events in one entry, as nearly always; else those of each site and hour by themselves, or two halves."""
    if len(group) < FEWEST_EVENTS:
        return [Packed(partition, event.tally, pack_small(event)) for event in group]
    form = pack_bundle(group)
    if form is not None:
        return [Packed(partition, group[0].tally, form, len(group))]
    alike: list[Sequence[StoredEvent]] = [list(run) for _, run in groupby(group, _counted)]
    if len(alike) == 1:  # too large for one
        half = len(group) // 2
        alike = [group[:half], group[half:]]
    return [entry for part in alike for entry in _packed(partition, part)]


def _counted(event: StoredEvent) -> tuple[str, int]:
    """What is the same of all events in an entry."""
    return event.site, event.accepted_ms // HOUR_MS
