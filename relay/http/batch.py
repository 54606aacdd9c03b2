"""`POST /api/events`: up to a thousand events in one body, a verdict for each, and one write for all that may be kept.

What is wrong with one item is told of that item and of no other. Items are kept in their order.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from relay.http.inflating import (
    CODINGS,
    BrokenError,
    Budget,
    CrowdedError,
    TooLargeError,
    UnknownCodingError,
    whole_body,
)
from relay.http.intake import Intake, as_json, body_within
from relay.http.judging import Judging
from relay.http.keeping import keep
from relay.http.verdicts import answer, counted
from relay.queue.waiting import UnavailableError
from relay.rules.batch import MAX_BATCH_BYTES, Unreadable, items_in
from relay.rules.fault import Fault
from relay.rules.idempotency import key_of
from relay.rules.source import Denied

HELD_BYTES = 64_000_000  # of bodies of batches, inflated; with their items as kept four times that, tiny ones eight
NDJSON: Final = frozenset(f"application/{name}" for name in ("x-ndjson", "ndjson", "jsonl", "x-jsonlines"))


@dataclass(frozen=True, slots=True)
class Batches:
    """The endpoint."""

    intake: Intake
    held: Budget = field(default_factory=lambda: Budget(HELD_BYTES))

    async def post(self, request: web.Request) -> web.Response:
        """Accept what is fit of a batch: 202 with a verdict for each item; 400, 413, 415, 429, 503 for the whole."""
        now_ms = time.time_ns() // 1_000_000
        sender = await self.intake.sender_of(request, keyless=False)
        if isinstance(sender, web.Response):
            return sender
        key = key_of(request.raw_headers)
        if isinstance(key, Fault):
            self.intake.watch.refused[key.field] += 1
            return as_json(400, {"errors": {key.field: [key.message(strict=True)]}})
        with self.held.share() as take:
            items = await self._items(request, take)
            if isinstance(items, web.Response):
                return items
            return await self._answered(items, Judging(self.intake, sender, now_ms, key))

    async def _answered(self, items: list[bytes], judging: Judging) -> web.Response:
        """Judge the items, keep those that are fit, and say so."""
        try:
            verdicts = await keep(self.intake, await judging.all_of(items), judging.now_ms)
        except UnavailableError as error:
            return self.intake.not_known(error)
        if isinstance(verdicts, Denied):
            return self.intake.senders.refuse(verdicts)
        counts = counted(verdicts)
        self.intake.watch.count_batch(counts)
        return accepted(answer(verdicts, counts))

    async def _items(self, request: web.Request, take: Callable[[int], None]) -> list[bytes] | web.Response:
        """The batch's items, as posted, if anything can be kept now."""
        body = await self._body(request, take)
        if isinstance(body, web.Response):
            return body
        items = items_in(body, lines=request.content_type in NDJSON)
        if isinstance(items, Unreadable):
            too_large = items.status == web.HTTPRequestEntityTooLarge.status_code
            self.intake.watch.refused["too_large" if too_large else "envelope"] += 1
            return as_json(items.status, {"errors": {"request": [items.message]}})
        return await self.intake.full() or items

    async def _body(self, request: web.Request, take: Callable[[int], None]) -> bytes | web.Response:
        """The body, inflated."""
        coding = ", ".join(request.headers.getall("Content-Encoding", ()))
        try:
            async with body_within():
                return await whole_body(request.content.iter_any(), coding, MAX_BATCH_BYTES, take)
        except UnknownCodingError:
            message = f"the Content-Encoding {coding[:60]!a} is unknown here: send {CODINGS}, one of them, or none"
            refused = self.intake.unread("encoding", 415, message)
            refused.headers["Accept-Encoding"] = CODINGS  # RFC 9110 15.5.16
            return refused
        except TooLargeError:
            return self.intake.too_large(413, f"too large: a batch may have {MAX_BATCH_BYTES:,} bytes, inflated")
        except CrowdedError:
            refused = self.intake.unavailable("not kept", "many large batches are under way at this moment")
            refused.force_close()  # the rest of the body was not read
            return refused
        except BrokenError as error:
            return self.intake.unread("envelope", 400, f"the body can't be read: {error}")
        except (TimeoutError, ConnectionError, web.RequestPayloadError):
            return self.intake.incomplete()


def accepted(body: bytes) -> web.Response:
    """The 202 with the verdicts."""
    return web.Response(status=202, body=body, content_type="application/json")
