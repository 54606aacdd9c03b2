"""Who waits for a write, and what each is told when it succeeded, failed, or did so for some."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from itertools import islice

import msgspec

from relay.queue.once import Item, Receipt
from relay.queue.stored import StoredEvent

log = logging.getLogger(__name__)


class UnavailableError(Exception):
    """The events are not known to be kept: the sender shall try again. The text says why."""


Told = Callable[[list[Receipt] | UnavailableError], None]
"""Is told a receipt for each item, none for mere events, when they are durable; or why that is not certain."""


class Waiter(msgspec.Struct, gc=False):
    """The events of one request, the partition of each, the bytes of their bodies, and who waits for them.

    If put as items: how many events each has, in `sizes`, and the items themselves if any has a key.
    """

    events: Sequence[StoredEvent]
    places: Sequence[int]
    size: int
    told: Told
    sizes: Sequence[int] = ()
    items: Sequence[Item] = ()

    def tell(self, result: list[Receipt] | UnavailableError) -> None:
        """Its events are durable, or may not be."""
        try:
            self.told(result)
        except Exception:
            log.exception("a sender was not told")  # the others are


def answer(batch: list[Waiter], failed: dict[int, str], told: Sequence[Receipt | str]) -> None:
    """Tell each request how its own partitions, or its items, fared."""
    each = iter(told)
    for waiter in batch:
        if not waiter.items and not failed:
            waiter.tell([Receipt.ACCEPTED] * len(waiter.sizes))
            continue
        if waiter.sizes:
            words = list(islice(each, len(waiter.items))) if waiter.items else _fared(waiter, failed)
            receipts = [word if isinstance(word, Receipt) else Receipt.UNAVAILABLE for word in words]
            reasons = [] if set(receipts) - {Receipt.UNAVAILABLE} else words
        else:
            receipts = []
            reasons = [failed[place] for place in waiter.places if place in failed]
        if reasons:
            fail([waiter], f"the queue did not take it: {reasons[0]}")
        else:
            waiter.tell(receipts)


def _fared(waiter: Waiter, failed: dict[int, str]) -> list[Receipt | str]:
    """Of each item without a key its receipt, or why it failed."""
    each = iter(waiter.places)
    partitions = (list(islice(each, size)) for size in waiter.sizes)
    return [next((failed[one] for one in some if one in failed), Receipt.ACCEPTED) for some in partitions]


def fail(batch: list[Waiter], reason: str) -> None:
    """Tell each request that it is not known to be kept."""
    for waiter in batch:
        waiter.tell(UnavailableError(reason))
