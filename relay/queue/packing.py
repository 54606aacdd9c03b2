"""Accepted events as they are written: to which partition each goes, and which of them share an entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
    if _BUNDLE not in forms:
        return packed_apart(partition, events, forms)
    form = pack_bundle(events) if FEWEST_EVENTS <= len(events) <= MOST_EVENTS else None
    if form is not None:  # as nearly always
        return [Packed(partition, events[0].tally, form, len(events))]
    return list(pack_together(partition, events))


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


def pack_together(partition: int, events: Sequence[StoredEvent]) -> Iterator[Packed]:
    """A partition's events as they are written, in their order, neighbours in one entry."""
    for alike in _alike(events):
        for first in range(0, len(alike), MOST_EVENTS):
            yield from _packed(partition, alike[first : first + MOST_EVENTS])


def _alike(events: Sequence[StoredEvent]) -> Iterator[Sequence[StoredEvent]]:
    """Neighbours of one site that are counted in one hour: nearly always all."""
    if len({event[0] for event in events}) == 1 and len({event[4] // HOUR_MS for event in events}) == 1:
        yield events
        return
    for _, run in groupby(events, lambda event: (event.site, event.accepted_ms // HOUR_MS)):
        yield list(run)


def _packed(partition: int, group: Sequence[StoredEvent]) -> Iterator[Packed]:
    """The events in one entry; in two halves if they are too large for that."""
    if len(group) < FEWEST_EVENTS:
        yield from (Packed(partition, event.tally, pack_small(event)) for event in group)
        return
    form = pack_bundle(group)
    if form is not None:
        yield Packed(partition, group[0].tally, form, len(group))
        return
    half = len(group) // 2
    yield from _packed(partition, group[:half])
    yield from _packed(partition, group[half:])
