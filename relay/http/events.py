"""`POST /api/event`: the way in, step by step. A 202 is given only after the queue has the event on disk.

Only the body and what makes the visitor is kept; cookies and Authorization never leave the request.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Final

import orjson
from aiohttp import web

from relay.http.cors import REPLAYED
from relay.http.senders import Senders
from relay.http.watch import Watch
from relay.queue.committing import Committer, UnavailableError
from relay.queue.limits import Limits
from relay.queue.once import Item, Once, Receipt
from relay.queue.stored import StoredEvent
from relay.rules.admission import Admitted, admit
from relay.rules.event import Event, Refused, Validation, parse_event, refuse
from relay.rules.fault import Fault
from relay.rules.idempotency import CONFLICT, key_of, scope_of
from relay.rules.source import Denied, Source, no_visitor, responsible
from relay.rules.speaking import spoken_for
from relay.rules.split import bodies_by_site
from relay.rules.visitor import Network, Visitor, visitor_of

BODY_LIMIT_BYTES: Final = 1_000_000  # Plausible's own (contract section 1)
BODY_WITHIN_S = 15.0  # as Plausible's own server; a broken chunk would be waited for without end
RETRY_AFTER_S: Final = "2"
ENGAGEMENT: Final = "engagement"


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator decided about accepting."""

    validation: Validation
    trusted: tuple[Network, ...]
    missing_ip: str = "refuse"

    @property
    def refuse_missing_ip(self) -> bool:
        """Whether a source that speaks has to name a visitor; Plausible would not mind, so in strict mode only."""
        return self.missing_ip == "refuse" and self.validation is Validation.STRICT


@dataclass(frozen=True, slots=True)
class Sender:
    """Who posts, and the visitor whose event it is."""

    source: Source
    visitor: Visitor


@dataclass(frozen=True, slots=True)
class Posted:
    """An event that may be kept, for the sites that stay of it; `key` is the one by which its sender repeats it."""

    event: Event
    admitted: Admitted
    sender: Sender
    key: str | None


@dataclass(frozen=True, slots=True)
class Events:
    """The endpoint."""

    policy: Policy
    senders: Senders
    limits: Limits
    committer: Committer
    watch: Watch

    async def post(self, request: web.Request) -> web.Response:
        """Accept one event: 202, 400 with every wrong field, 401, 403, 408, 409, 413, 429, 503 with Retry-After."""
        now_ms = time.time_ns() // 1_000_000
        sender = await self._sender_of(request)
        if isinstance(sender, web.Response):
            return sender
        if request.headers.get("X-Debug-Request") == "true":  # as Plausible Cloud: tell the address, keep nothing
            return web.Response(text=sender.visitor.ip)
        try:
            async with asyncio.timeout(BODY_WITHIN_S):
                body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return self._too_large(request)
        except (TimeoutError, ConnectionError, web.RequestPayloadError):
            return self._incomplete()
        posted = self._read(body, sender, key_of(request.raw_headers))
        return posted if isinstance(posted, web.Response) else await self._keep(posted, now_ms)

    async def _sender_of(self, request: web.Request) -> Sender | web.Response:
        """Who posts, and for which visitor."""
        try:
            source = await self.senders.of(request)
        except UnavailableError as error:
            return self._unavailable("not kept", str(error))
        if isinstance(source, Denied):
            return self.senders.refuse(source)
        peer, headers = request.remote or "", request.raw_headers
        visitor = spoken_for(source, peer, headers, self.policy.trusted)
        if visitor is None and self.policy.refuse_missing_ip:
            return self.senders.refuse(no_visitor(source))
        return Sender(source, visitor or visitor_of(peer, headers, self.policy.trusted))

    def _read(self, body: bytes, sender: Sender, key: str | Fault | None) -> Posted | web.Response:
        """What of the body may be kept."""
        event = parse_event(body, self.policy.validation)
        if isinstance(key, Fault):
            wrong = event.errors if isinstance(event, Refused) else {}
            return self._refuse(Refused(400, wrong | _told(key).errors))
        if isinstance(event, Refused):
            return self._refuse(event)
        source = responsible(sender.source, event.sites)
        if isinstance(source, Denied):
            return self.senders.refuse(source)
        admitted = admit(event, source.sites, self.policy.validation)
        if isinstance(admitted, Refused):
            return self._refuse(admitted)
        return Posted(event, admitted, Sender(source, sender.visitor), key)

    async def _keep(self, posted: Posted, now_ms: int) -> web.Response:
        admitted, receipt = posted.admitted, Receipt.ACCEPTED
        if await self.watch.is_full():
            return self._unavailable("not kept", "; ".join(self.watch.unready()) or "the backlog is full")
        if admitted.sites:
            source, address = posted.sender.source, posted.sender.visitor.ip
            try:
                over = await self.limits.take(source, address, cost=len(admitted.sites))
                if over is not None:
                    return self.senders.refuse(replace(over, site=admitted.sites[0]))
                receipt = await self._put(posted, now_ms)
            except UnavailableError as error:
                return self._unavailable("not known to be kept", str(error))
        if receipt is Receipt.CONFLICT:
            return self._refuse(replace(_told(CONFLICT), status=409))
        answer = web.Response(status=202, text="ok")
        if receipt is Receipt.DUPLICATE:
            answer.headers[REPLAYED] = "true"
        if admitted.unknown:  # in `plausible` validation: as Plausible says it, and counted like a refusal
            self.watch.refused["unknown_site"] += len(admitted.unknown)
            answer.headers["x-plausible-dropped"] = str(len(admitted.unknown))
        return answer

    async def _put(self, posted: Posted, now_ms: int) -> Receipt:
        """Keep the event, and if its sender named a key, only once."""
        stored = _stored(posted, now_ms)
        if posted.key is None:
            await self.committer.put(stored)
            return Receipt.ACCEPTED
        once = Once(scope_of(posted.sender.source), posted.key, posted.event.body)
        (receipt,) = await self.committer.put_items([Item(stored, once)])
        return receipt

    def _refuse(self, refused: Refused) -> web.Response:
        self.watch.refused.update(refused.errors.keys())  # a mapping's values would be added, not counted
        return _json(refused.status, {"errors": refused.errors})

    def _too_large(self, request: web.Request) -> web.Response:
        """413; in `plausible` validation 400 for what Plausible would not even try to parse."""
        self.watch.refused["too_large"] += 1
        as_plausible = self.policy.validation is Validation.PLAUSIBLE and request.content_type != "application/json"
        message = "Unable to parse request body as json"
        if not as_plausible:
            message = f"too large: an event's body may have {BODY_LIMIT_BYTES:,} bytes"
        answer = _json(400 if as_plausible else 413, {"errors": {"request": [message]}})
        answer.force_close()  # the rest of the body was not read
        return answer

    def _incomplete(self) -> web.Response:
        """408; a sender that went away does not hear it, and it is no error of ours."""
        self.watch.refused["incomplete"] += 1
        answer = _json(408, {"errors": {"request": [f"the body did not arrive whole within {BODY_WITHIN_S:g} s"]}})
        answer.force_close()
        return answer

    def _unavailable(self, what: str, why: str) -> web.Response:
        self.watch.refused["unavailable"] += 1
        answer = _json(503, {"errors": {"request": [f"{what}, please send it again: {why}"]}})
        answer.headers["Retry-After"] = RETRY_AFTER_S
        return answer


def _stored(posted: Posted, now_ms: int) -> list[StoredEvent]:
    """One stored event for each site that stays."""
    event, visitor = posted.event, posted.sender.visitor
    return [
        StoredEvent(
            site=site,
            ip=visitor.ip,
            user_agent=visitor.user_agent,
            body=body,
            accepted_ms=now_ms,
            revenue=event.revenue is not None,
            engagement=event.name == ENGAGEMENT,
        )
        for site, body in bodies_by_site(event)
        if site in posted.admitted.sites
    ]


def _told(fault: Fault) -> Refused:
    """A 400 for a fault in what Plausible does not know: in our words, whatever the validation."""
    return refuse((fault,), Validation.STRICT)


def _json(status: int, value: object) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(value), content_type="application/json")
