"""A batch's items, one after the other: may each come in, whose is it, and what is its sender warned of.

Nothing is kept here. What is refused is counted as a single event's refusal is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import accumulate
from typing import Final

from relay.http.intake import Intake, Posted, Sender
from relay.http.keeping import NO_ROOM, Judged, Kept, Room
from relay.http.plain import has_plain_items, plain_events
from relay.http.verdicts import Status, Verdict
from relay.rules.admission import Admitted
from relay.rules.event import Refused
from relay.rules.idempotency import key_in
from relay.rules.item import Item, Own, read_item
from relay.rules.source import Denied, Source, no_visitor
from relay.rules.text import shown
from relay.rules.visitor import Visitor, is_in
from relay.rules.warnings import of_visitor

AT_ONCE: Final = 50  # items are read in one go, a few milliseconds; then other requests have their turn
BYTES_AT_ONCE: Final = 65_536  # of these, unless one alone has more


@dataclass(slots=True)
class Judging:
    """The judgement of one batch."""

    intake: Intake
    sender: Sender
    now_ms: int
    key: str | None = None  # of the whole batch
    room: Room = field(default_factory=Room)
    _believed: bool = False
    _has_plain: bool = False
    _found: dict[tuple[str, ...], tuple[Source, Admitted]] = field(default_factory=dict)
    _warned: dict[Visitor, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._believed = self._may_speak()
        self._has_plain = self.key is None and has_plain_items(self.sender)

    async def all_of(self, items: Sequence[bytes]) -> list[Judged]:
        """What of each item may be kept, or why it may not."""
        judged: list[Judged] = []
        while len(judged) < len(items):
            if judged:
                await asyncio.sleep(0)
            first = len(judged)
            some = portion(items, first)
            judged += self._plain(some) or self._each(some, first)
        return judged

    def _plain(self, items: Sequence[bytes]) -> Sequence[Judged]:
        """What is kept of the items if all of them are plain, which most are."""
        events = plain_events(items, self.sender, self.now_ms) if self._has_plain else None
        return events if events is not None and self.room.take(len(events), sum(map(len, items))) else ()

    def _each(self, items: Sequence[bytes], first: int) -> Sequence[Judged]:
        """Each of the items by itself; `first` is the place of the first."""
        return [self._within_room(self._judge(raw, place)) for place, raw in enumerate(items, first)]

    def _may_speak(self) -> bool:
        """Whether an item's word on its visitor counts: of a source that speaks, and of a trusted machine itself.

        Behind a trusted proxy stands anybody: what he sends comes from his address, and that is not trusted.
        """
        source, visitor = self.sender.source, self.sender.visitor
        return source.speaks or is_in(self.intake.policy.trusted, ip_address(visitor.ip))

    def _judge(self, raw: bytes, place: int) -> Kept | Verdict:
        policy = self.intake.policy
        item = read_item(raw, policy.validation, self.now_ms, believed=self._believed, time_prop=policy.time_prop)
        if isinstance(item, Refused):
            return self._refused(item)
        if self.sender.forgot and item.own.ip is None and policy.refuse_missing_ip:
            return self._denied(no_visitor(self.sender.source, of_item=True))
        if item.own.key is None and self.key is not None:
            item = Item(item.event, item.own._replace(key=key_in(self.key, place)))
        return self._admitted(raw, item)

    def _admitted(self, raw: bytes, item: Item) -> Kept | Verdict:
        """What is found of one site is found once: nearly all items of a batch name the same."""
        event, own = item.event, item.own
        found = self._found.get(event.sites)
        if found is None:
            match self.intake.admitted(event, self.sender):
                case Denied() as denied:
                    return self._denied(denied)
                case Refused() as refused:
                    return self._refused(refused)
                case found:
                    if len(event.sites) == 1:
                        self._found[event.sites] = found
        source, admitted = found
        return self._kept(raw, item, admitted, self._sender(source, own))

    def _sender(self, source: Source, own: Own) -> Sender:
        """Who answers for the item, with the visitor that it names as far as it does; the request's for all else."""
        if own.ip is None and own.user_agent is None and source is self.sender.source:
            return self.sender
        visitor = self.sender.visitor
        ip, agent = own.ip or visitor.ip, visitor.user_agent if own.user_agent is None else own.user_agent
        return Sender(source, Visitor(ip, agent))

    def _kept(self, raw: bytes, item: Item, admitted: Admitted, sender: Sender) -> Kept | Verdict:
        """The item for the sites that stay; in `plausible` validation there may be none, or others."""
        warnings = item.own.warnings + item.event.warnings + self._warnings_of(sender.visitor)
        if admitted.unknown:
            self.intake.watch.refused["unknown_site"] += len(admitted.unknown)
            told = f"{', '.join(map(shown, admitted.unknown[:3]))} is not a site of this relay"
            if not admitted.sites:
                return Verdict(Status.REFUSED, {"domain": [told]}, warnings)
            warnings += (f"domain: {told}, and gets nothing of it",)
        return Kept(raw, Posted(item.event, admitted, sender, item.own.key, item.own.occurred_ms), warnings)

    def _warnings_of(self, visitor: Visitor) -> tuple[str, ...]:
        """Asked once of each: a batch has few visitors, most often one."""
        warnings = self._warned.get(visitor)
        if warnings is None:
            warnings = self._warned[visitor] = of_visitor(visitor)
        return warnings

    def _within_room(self, item: Kept | Verdict) -> Kept | Verdict:
        if isinstance(item, Verdict):
            return item
        events = len(item.posted.admitted.sites)
        if self.room.take(events, events * len(item.posted.event.body)):
            return item
        return self._refused(Refused(400, {"domain": [NO_ROOM]}))

    def _refused(self, refused: Refused) -> Verdict:
        self.intake.watch.refused.update(refused.errors.keys())
        return Verdict(Status.REFUSED, refused.errors)

    def _denied(self, denied: Denied) -> Verdict:
        self.intake.senders.note(denied)
        return Verdict(Status.REFUSED, denied.errors, retry_after_s=denied.retry_after_s)


def portion(items: Sequence[bytes], first: int) -> Sequence[bytes]:
    """The items from the first on that are read in one go, one at least."""
    some = items[first : first + AT_ONCE]
    if sum(map(len, some)) <= BYTES_AT_ONCE:
        return some
    fit = sum(size <= BYTES_AT_ONCE for size in accumulate(map(len, some)))
    return some[: max(fit, 1)]
