"""From the items of a batch that may be kept to their verdicts: room, limits, one write.

A write that is not known to have succeeded is told of each item it concerns, and of no other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from relay.http.intake import RETRY_AFTER_S, Intake, Posted, stored
from relay.http.verdicts import ACCEPTED, Status, Verdict
from relay.queue.once import Item, Once, Receipt
from relay.queue.stored import StoredEvent
from relay.rules.idempotency import CONFLICT, FIELD, is_of_batch, scope_of
from relay.rules.source import Denied, Source

MAX_EVENTS: Final = 5_000  # that a batch becomes: items may name many sites, and one write is one all others wait for
MAX_BYTES: Final = 10_000_000  # of all these
NO_ROOM: Final = (
    f"with its sites the batch becomes over {MAX_EVENTS:,} events or {MAX_BYTES:,} bytes: send it in several"
)
UNKNOWN: Final = "not known to be kept, please send it again"


class Kept(msgspec.Struct, frozen=True, gc=False):
    """An item that may be kept: its bytes as posted, and of what its sender will be warned."""

    raw: bytes
    posted: Posted
    warnings: tuple[str, ...]


Judged = Kept | StoredEvent | Verdict
"""An item that may be kept, if it is plain its mere event, or why it may not."""


@dataclass(slots=True)
class Room:
    """What a batch may become."""

    events: int = MAX_EVENTS
    size: int = MAX_BYTES

    def take(self, events: int, size: int) -> bool:
        """Whether there is room for so many events, too, of so many bytes together; if so it is taken."""
        if events > self.events or size > self.size:
            return False
        self.events -= events
        self.size -= size
        return True


async def keep(intake: Intake, judged: Sequence[Judged], now_ms: int) -> list[Verdict] | Denied:
    """Keep what may be kept, in its order, in one write; a verdict for each, or why nothing of it was kept.

    Raises UnavailableError if nothing is known to be kept.
    """
    plain = [item for item in judged if type(item) is StoredEvent]
    if plain and len(plain) == len(judged):
        return await keep_plain(intake, plain)
    over = await _over(intake, [item for item in judged if isinstance(item, Kept)])
    if isinstance(over, Denied):
        return over
    if over:
        judged = [_within(intake, item, over) for item in judged]
    fit = [item for item in judged if not isinstance(item, Verdict)]
    receipts = iter(await intake.committer.put_items([_item(one, now_ms) for one in fit]) if fit else ())
    return [item if isinstance(item, Verdict) else _verdict(intake, item, next(receipts)) for item in judged]


async def keep_plain(intake: Intake, events: Sequence[StoredEvent]) -> list[Verdict]:
    """Keep the events of items that all are plain, in their order, in one write; a verdict for each.

    Raises UnavailableError if none is known to be kept.
    """
    return plain_verdicts(intake, events, await intake.committer.put_each(events))


def plain_verdicts(intake: Intake, events: Sequence[StoredEvent], receipts: Sequence[Receipt]) -> list[Verdict]:
    """A verdict for each plain item that was put."""
    if receipts.count(Receipt.ACCEPTED) == len(receipts):
        return [ACCEPTED] * len(receipts)
    return [_verdict(intake, event, receipt) for event, receipt in zip(events, receipts, strict=True)]


Bucket = tuple[Source, str]


async def _over(intake: Intake, items: Iterable[Kept]) -> dict[Bucket, Denied] | Denied:
    """Which addresses of which source have sent too much; or that the whole batch is too much."""
    costs: Counter[Bucket] = Counter()
    of_source: Counter[Source] = Counter()
    for item in items:
        source, events = item.posted.sender.source, len(item.posted.admitted.sites)
        if source.rate is None and source.address_rate is None:
            continue
        costs[source, item.posted.sender.visitor.ip] += events
        of_source[source] += events
    if len(costs) == 1:
        ((source, address), cost) = costs.popitem()
        return await intake.limits.take(source, address, cost) or {}
    for source, cost in of_source.items():
        if (denied := await intake.limits.take(source, "", cost)) is not None:
            return denied
    over: dict[Bucket, Denied] = {}
    for (source, address), cost in costs.items():
        if (denied := await intake.limits.take(replace(source, rate=None), address, cost)) is not None:
            over[source, address] = denied
    return over


def _within(intake: Intake, item: Judged, over: dict[Bucket, Denied]) -> Judged:
    """The item, or the verdict that its address has sent too much."""
    if not isinstance(item, Kept):
        return item
    denied = over.get((item.posted.sender.source, item.posted.sender.visitor.ip))
    if denied is None:
        return item
    intake.senders.note(replace(denied, site=item.posted.admitted.sites[0]))
    return Verdict(Status.REFUSED, denied.errors, item.warnings, denied.retry_after_s)


def _item(one: Kept | StoredEvent, now_ms: int) -> Item:
    """As it is written."""
    return Item(stored(one.posted, now_ms), _once(one)) if isinstance(one, Kept) else Item((one,))


def _once(item: Kept) -> Once | None:
    key = item.posted.key
    return None if key is None else Once(scope_of(item.posted.sender.source), key, item.raw)


def _verdict(intake: Intake, item: Kept | StoredEvent, receipt: Receipt) -> Verdict:
    key, warnings = (item.posted.key, item.warnings) if isinstance(item, Kept) else (None, ())
    if receipt is Receipt.ACCEPTED and not warnings:
        return ACCEPTED
    match receipt:
        case Receipt.ACCEPTED:
            return Verdict(Status.ACCEPTED, warnings=warnings)
        case Receipt.DUPLICATE:
            return Verdict(Status.DUPLICATE, warnings=warnings)
        case Receipt.CONFLICT:
            field = FIELD if key is not None and is_of_batch(key) else "id"
            intake.watch.refused[field] += 1
            return Verdict(Status.REFUSED, {field: [CONFLICT.message(strict=True)]}, warnings)
        case Receipt.UNAVAILABLE:
            intake.watch.refused["unavailable"] += 1
            return Verdict(Status.REFUSED, {"request": [UNKNOWN]}, warnings, RETRY_AFTER_S)
