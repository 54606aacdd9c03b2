"""`POST /api/event`: the way in, step by step. A 202 is given only after the queue has the event on disk.

Only the body and what makes the visitor is kept; cookies and Authorization never leave the request.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Final

from aiohttp import web

from relay.http.accepted import accepted, plain
from relay.http.cors import REPLAYED
from relay.http.intake import Intake, Posted, Sender, body_of, stored
from relay.queue.once import Item, Once, Receipt
from relay.queue.waiting import UnavailableError
from relay.rules.event import Refused, Validation, parse_event, refuse
from relay.rules.fault import Fault
from relay.rules.idempotency import CONFLICT, key_of, scope_of
from relay.rules.source import Denied, no_visitor

BODY_LIMIT_BYTES: Final = 1_000_000  # Plausible's own (contract section 1)


@dataclass(frozen=True, slots=True)
class Events:
    """The endpoint."""

    intake: Intake

    async def post(self, request: web.Request) -> web.StreamResponse:
        """Accept one event: 202, 400 with every wrong field, 401, 403, 408, 409, 413, 429, 503 with Retry-After."""
        now_ms = time.time_ns() // 1_000_000
        sender = await self.intake.sender_of(request)
        if isinstance(sender, web.Response):
            return sender
        if sender.forgot and self.intake.policy.refuse_missing_ip:
            return self.intake.senders.refuse(no_visitor(sender.source))
        if request.headers.get("X-Debug-Request") == "true":  # as Plausible Cloud: tell the address, keep nothing
            return web.Response(text=sender.visitor.ip)
        try:
            body = await body_of(request)
        except web.HTTPRequestEntityTooLarge:
            return self._too_large(request)
        except (TimeoutError, ConnectionError, web.RequestPayloadError):
            return self.intake.incomplete()
        posted = self._read(body, sender, key_of(request.raw_headers))
        return posted if isinstance(posted, web.Response) else await self._keep(request, posted, now_ms)

    def _read(self, body: bytes, sender: Sender, key: str | Fault | None) -> Posted | web.Response:
        """What of the body may be kept."""
        event = parse_event(body, self.intake.policy.validation)
        if isinstance(key, Fault):
            wrong = event.errors if isinstance(event, Refused) else {}
            return self.intake.refuse(Refused(400, wrong | _told(key).errors))
        if isinstance(event, Refused):
            return self.intake.refuse(event)
        match self.intake.admitted(event, sender):
            case Denied() as denied:
                return self.intake.senders.refuse(denied)
            case Refused() as refused:
                return self.intake.refuse(refused)
            case source, admitted:
                return Posted(event, admitted, sender._replace(source=source), key)

    async def _keep(self, request: web.Request, posted: Posted, now_ms: int) -> web.StreamResponse:
        admitted, receipt = posted.admitted, Receipt.ACCEPTED
        if (full := await self.intake.full()) is not None:
            return full
        if admitted.sites:
            source, address = posted.sender.source, posted.sender.visitor.ip
            try:
                over = await self.intake.limits.take(source, address, cost=len(admitted.sites))
                if over is not None:
                    return self.intake.senders.refuse(replace(over, site=admitted.sites[0]))
                receipt = await self._put(posted, now_ms)
            except UnavailableError as error:
                return self.intake.not_known(error)
        if receipt is Receipt.CONFLICT:
            return self.intake.refuse(replace(_told(CONFLICT), status=409))
        warnings = posted.warnings
        if not (warnings or admitted.unknown or receipt is Receipt.DUPLICATE):
            return accepted(request, draining=self.intake.watch.draining)
        answer = plain(warnings)
        if receipt is Receipt.DUPLICATE:
            answer.headers[REPLAYED] = "true"
        if admitted.unknown:  # in `plausible` validation: as Plausible says it, and counted like a refusal
            self.intake.watch.refused["unknown_site"] += len(admitted.unknown)
            answer.headers["x-plausible-dropped"] = str(len(admitted.unknown))
        return answer

    async def _put(self, posted: Posted, now_ms: int) -> Receipt:
        """Keep the event, and if its sender named a key, only once."""
        events = stored(posted, now_ms)
        if posted.key is None:
            await self.intake.committer.put(events)
            return Receipt.ACCEPTED
        once = Once(scope_of(posted.sender.source), posted.key, posted.event.body)
        (receipt,) = await self.intake.committer.put_items([Item(events, once)])
        return receipt

    def _too_large(self, request: web.Request) -> web.Response:
        """413; in `plausible` validation 400 for what Plausible would not even try to parse."""
        as_plausible = self.intake.policy.validation is Validation.PLAUSIBLE
        if as_plausible and request.content_type != "application/json":
            return self.intake.too_large(400, "Unable to parse request body as json")
        return self.intake.too_large(413, f"too large: an event's body may have {BODY_LIMIT_BYTES:,} bytes")


def _told(fault: Fault) -> Refused:
    """A 400 for a fault in what Plausible does not know: in our words, whatever the validation."""
    return refuse((fault,), Validation.STRICT)
