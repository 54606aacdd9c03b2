"""The same work for every peer: the relay's own rules on one request, so that none is faster by checking less."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final

from load.bench.events import SITE
from relay.rules.admission import admit, parse_sites
from relay.rules.event import Refused, Validation, parse_event
from relay.rules.split import bodies_by_site
from relay.rules.visitor import visitor_of

TRUSTED: Final = (ip_network("127.0.0.1/32"),)
SITES: Final = parse_sites((SITE,))


@dataclass(frozen=True, slots=True)
class Job:
    """What has to be kept to deliver one event: as the relay keeps it."""

    ip: str
    user_agent: str
    body: bytes


def accepted(peer: str, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> list[Job] | None:
    """Whose the event is and whether it is valid; one job a site. None if it is refused."""
    visitor = visitor_of(peer, tuple(headers), TRUSTED)
    event = parse_event(body, Validation.STRICT)
    if isinstance(event, Refused):
        return None
    admitted = admit(event, SITES, Validation.STRICT)
    if isinstance(admitted, Refused):
        return None
    agent = (visitor.user_agent or b"").decode("latin-1")
    return [Job(visitor.ip, agent, one) for _, one in bodies_by_site(event)]
