"""`POST /api/events`: up to a thousand events in one body, a verdict for each, and one write for all that may be kept.

What is wrong with one item is told of that item and of no other. Items are kept in their order.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from aiohttp import web

from relay.http.inflating import CODINGS, BrokenError, TooLargeError, UnknownCodingError, whole_body
from relay.http.intake import Intake, Posted, Sender, as_json, body_within
from relay.http.keeping import NO_ROOM, Kept, Room, keep
from relay.http.verdicts import Status, Verdict, answer
from relay.queue.committing import UnavailableError
from relay.rules.admission import Admitted
from relay.rules.batch import MAX_BATCH_BYTES, Unreadable, items_in
from relay.rules.event import Refused
from relay.rules.item import Item, read_item
from relay.rules.source import Denied, no_visitor
from relay.rules.text import shown
from relay.rules.visitor import Visitor, is_in
from relay.rules.warnings import of_visitor

NDJSON: Final = frozenset(f"application/{name}" for name in ("x-ndjson", "ndjson", "jsonl", "x-jsonlines"))
AT_ONCE: Final = 50  # items are read in one go, a few milliseconds; then other requests have their turn


@dataclass(frozen=True, slots=True)
class Batches:
    """The endpoint."""

    intake: Intake

    async def post(self, request: web.Request) -> web.Response:
        """Accept what is fit of a batch: 202 with a verdict for each item; 400, 413, 415, 429, 503 for the whole."""
        now_ms = time.time_ns() // 1_000_000
        sender = await self.intake.sender_of(request, keyless=False)
        if isinstance(sender, web.Response):
            return sender
        items = await self._items(request)
        if isinstance(items, web.Response):
            return items
        try:
            verdicts = await keep(self.intake, await self._judged(items, sender, now_ms), now_ms)
        except UnavailableError as error:
            return self.intake.unavailable("not known to be kept", str(error))
        if isinstance(verdicts, Denied):
            return self.intake.senders.refuse(verdicts)
        self.intake.watch.count_batch(verdict.status for verdict in verdicts)
        return as_json(202, answer(verdicts))

    async def _items(self, request: web.Request) -> list[bytes] | web.Response:
        """The batch's items, as posted, if anything can be kept now."""
        body = await self._body(request)
        if isinstance(body, web.Response):
            return body
        items = items_in(body, lines=request.content_type in NDJSON)
        if isinstance(items, Unreadable):
            too_large = items.status == web.HTTPRequestEntityTooLarge.status_code
            self.intake.watch.refused["too_large" if too_large else "envelope"] += 1
            return as_json(items.status, {"errors": {"request": [items.message]}})
        return await self.intake.full() or items

    async def _body(self, request: web.Request) -> bytes | web.Response:
        """The body, inflated."""
        coding = request.headers.get("Content-Encoding", "")
        try:
            async with body_within():
                return await whole_body(request.content.iter_any(), coding, MAX_BATCH_BYTES)
        except UnknownCodingError:
            message = f"the Content-Encoding {coding[:60]!a} is unknown here: send {CODINGS}, one of them, or none"
            refused = self.intake.unread("encoding", 415, message)
            refused.headers["Accept-Encoding"] = CODINGS  # RFC 9110 15.5.16
            return refused
        except TooLargeError:
            return self.intake.too_large(413, f"too large: a batch may have {MAX_BATCH_BYTES:,} bytes, inflated")
        except BrokenError as error:
            return self.intake.unread("envelope", 400, f"the body can't be read: {error}")
        except (TimeoutError, ConnectionError, web.RequestPayloadError):
            return self.intake.incomplete()

    async def _judged(self, items: Sequence[bytes], sender: Sender, now_ms: int) -> list[Kept | Verdict]:
        """What of each item may be kept, or why it may not."""
        believed = self._may_speak(sender)
        judged: list[Kept | Verdict] = []
        room = Room()
        for first in range(0, len(items), AT_ONCE):
            for raw in items[first : first + AT_ONCE]:
                kept = self._judge(raw, sender, now_ms, believed=believed)
                if isinstance(kept, Kept) and not room.take(kept.posted):
                    kept = self._refused(Refused(400, {"domain": [NO_ROOM]}))
                judged.append(kept)
            await asyncio.sleep(0)
        return judged

    def _may_speak(self, sender: Sender) -> bool:
        """Whether an item's word on its visitor counts: of a source that speaks, and of a trusted machine itself.

        Behind a trusted proxy stands anybody: what he sends comes from his address, and that is not trusted.
        """
        return sender.source.speaks or is_in(self.intake.policy.trusted, ip_address(sender.visitor.ip))

    def _judge(self, raw: bytes, sender: Sender, now_ms: int, *, believed: bool) -> Kept | Verdict:
        policy = self.intake.policy
        item = read_item(raw, policy.validation, now_ms, believed=believed, time_prop=policy.time_prop)
        if isinstance(item, Refused):
            return self._refused(item)
        if sender.forgot and item.ip is None and policy.refuse_missing_ip:
            return self._denied(no_visitor(sender.source, of_item=True))
        match self.intake.admitted(item.event, sender):
            case Denied() as denied:
                return self._denied(denied)
            case Refused() as refused:
                return self._refused(refused)
            case source, admitted:
                return self._kept(raw, item, admitted, Sender(source, _visitor(item, sender)))

    def _kept(self, raw: bytes, item: Item, admitted: Admitted, sender: Sender) -> Kept | Verdict:
        """The item for the sites that stay; in `plausible` validation there may be none, or others."""
        warnings = item.warnings + item.event.warnings + of_visitor(sender.visitor)
        if admitted.unknown:
            self.intake.watch.refused["unknown_site"] += len(admitted.unknown)
            told = f"{', '.join(map(shown, admitted.unknown[:3]))} is not a site of this relay"
            if not admitted.sites:
                return Verdict(Status.REFUSED, {"domain": [told]}, warnings)
            warnings += (f"domain: {told}, and gets nothing of it",)
        return Kept(raw, Posted(item.event, admitted, sender, item.key, item.occurred_ms), warnings)

    def _refused(self, refused: Refused) -> Verdict:
        self.intake.watch.refused.update(refused.errors.keys())
        return Verdict(Status.REFUSED, refused.errors)

    def _denied(self, denied: Denied) -> Verdict:
        self.intake.senders.note(denied)
        return Verdict(Status.REFUSED, denied.errors, retry_after_s=denied.retry_after_s)


def _visitor(item: Item, sender: Sender) -> Visitor:
    """The visitor that the item names, as far as it does; the request's for all else."""
    visitor = sender.visitor
    if item.ip is None and item.user_agent is None:
        return visitor
    return Visitor(item.ip or visitor.ip, visitor.user_agent if item.user_agent is None else item.user_agent)
