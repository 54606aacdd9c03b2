"""What both endpoints for events do with what is posted: whose it is, may it come in, how a refusal is said.

How a body is read, kept and answered is each endpoint's own: `events`, `batch`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec
import orjson
from aiohttp import web

from relay.http.framing import Framed
from relay.http.senders import Senders
from relay.http.watch import Watch
from relay.queue.committing import Committer
from relay.queue.limits import Limits
from relay.queue.stored import StoredEvent
from relay.queue.waiting import UnavailableError
from relay.rules.admission import Admitted, admit
from relay.rules.event import Event, Refused, Validation
from relay.rules.source import Denied, Source, responsible
from relay.rules.speaking import spoken_for
from relay.rules.split import bodies_by_site
from relay.rules.visitor import Network, Trusted, Visitor, visitor_of
from relay.rules.warnings import of_visitor

BODY_WITHIN_S = 15.0  # as Plausible's own server; a broken chunk would be waited for without end
RETRY_AFTER_S: Final = 2
ENGAGEMENT: Final = "engagement"


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator decided about accepting."""

    validation: Validation
    trusted: tuple[Network, ...]
    missing_ip: str = "refuse"
    time_prop: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "trusted", Trusted(self.trusted))

    @property
    def refuse_missing_ip(self) -> bool:
        """Whether a source that speaks has to name a visitor; Plausible would not mind, so in strict mode only."""
        return self.missing_ip == "refuse" and self.validation is Validation.STRICT


class Sender(NamedTuple):
    """Who posts, and the visitor whose event it is. `forgot`: it speaks for its visitors and named none."""

    source: Source
    visitor: Visitor
    forgot: bool = False


class Posted(msgspec.Struct, frozen=True, gc=False):
    """An event that may be kept, for the sites that stay of it; `key` is the one by which its sender repeats it."""

    event: Event
    admitted: Admitted
    sender: Sender
    key: str | None
    occurred_ms: int | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What Plausible will do with the event without a word."""
        return (*self.event.warnings, *of_visitor(self.sender.visitor))


@dataclass(frozen=True, slots=True)
class Intake:
    """The parts that both endpoints work with."""

    policy: Policy
    senders: Senders
    limits: Limits
    committer: Committer
    watch: Watch

    async def sender_of(self, request: web.Request, *, keyless: bool = True) -> Sender | web.Response:
        """Who posts, and for which visitor. `keyless`: browsers may, too."""
        try:
            source = await self.senders.of(request, keyless=keyless)
        except UnavailableError as error:
            return self.unavailable("not kept", str(error))
        if isinstance(source, Denied):
            return self.senders.refuse(source)
        peer, headers = request.remote or "", request.raw_headers
        visitor = spoken_for(source, peer, headers, self.policy.trusted)
        if visitor is None:
            return Sender(source, visitor_of(peer, headers, self.policy.trusted), forgot=True)
        return Sender(source, visitor)

    def sender_at_hand(self, peer: str, head: Framed, *, keyless: bool = True) -> tuple[Source, Visitor] | None:
        """Who posts, and for which visitor, as `sender_of`; None if that takes a wait, or is anything but plain."""
        source = self.senders.known(head.headers, keyless=keyless)
        if source is None or isinstance(source, Denied):
            return None
        visitor = spoken_for(source, peer, head.headers, self.policy.trusted, head.names)
        return None if visitor is None else (source, visitor)

    def admitted(self, event: Event, sender: Sender) -> tuple[Source, Admitted] | Denied | Refused:
        """Who answers for the event, and which of its sites stay."""
        source = responsible(sender.source, event.sites)
        if isinstance(source, Denied):
            return source
        admitted = admit(event, source.sites, self.policy.validation)
        return admitted if isinstance(admitted, Refused) else (source, admitted)

    async def full(self) -> web.Response | None:
        """503 if nothing can be kept now."""
        if await self.watch.is_full():
            return self.unavailable("not kept", "; ".join(self.watch.unready()) or "the backlog is full")
        return None

    def refuse(self, refused: Refused) -> web.Response:
        """Count it and answer it."""
        self.watch.refused.update(refused.errors.keys())  # a mapping's values would be added, not counted
        return as_json(refused.status, {"errors": refused.errors})

    def too_large(self, status: int, message: str) -> web.Response:
        """The body is too large; the rest of it is not read."""
        return self.unread("too_large", status, message)

    def incomplete(self) -> web.Response:
        """408; a sender that went away does not hear it, and it is no error of ours."""
        return self.unread("incomplete", 408, f"the body did not arrive whole within {BODY_WITHIN_S:g} s")

    def unread(self, reason: str, status: int, message: str) -> web.Response:
        """Count a refusal before the body's end; its connection ends, too."""
        self.watch.refused[reason] += 1
        answer = as_json(status, {"errors": {"request": [message]}})
        answer.force_close()
        return answer

    def not_known(self, error: UnavailableError) -> web.Response:
        """503: what was to be kept may be kept, or not."""
        return self.unavailable("not known to be kept", str(error))

    def unavailable(self, what: str, why: str) -> web.Response:
        """503: the queue can't take it now, or is not known to have taken it."""
        self.watch.refused["unavailable"] += 1
        answer = as_json(503, {"errors": {"request": [f"{what}, please send it again: {why}"]}})
        answer.headers["Retry-After"] = str(RETRY_AFTER_S)
        return answer


def stored(posted: Posted, now_ms: int) -> list[StoredEvent]:
    """One stored event for each site that stays."""
    event, visitor = posted.event, posted.sender.visitor
    revenue, engagement, occurred_ms = event.revenue is not None, event.name == ENGAGEMENT, posted.occurred_ms
    ip, agent = visitor.ip, visitor.user_agent
    if len(event.sites) == 1 == len(posted.admitted.sites):
        return [StoredEvent(event.sites[0], ip, agent, event.body, now_ms, revenue, engagement, occurred_ms)]
    return [
        StoredEvent(site, ip, agent, body, now_ms, revenue, engagement, occurred_ms)
        for site, body in bodies_by_site(event)
        if site in posted.admitted.sites
    ]


async def body_of(request: web.Request) -> bytes:
    """The body, within the time that it has; most are there with their heads, and a timer costs as much as to read."""
    if request.content.is_eof():
        return await request.read()
    async with body_within():
        return await request.read()


def body_within() -> asyncio.Timeout:
    """Within what time a body has to be there."""
    return asyncio.timeout(BODY_WITHIN_S)


def as_json(status: int, value: object) -> web.Response:
    """An answer in JSON."""
    return web.Response(status=status, body=orjson.dumps(value), content_type="application/json")
