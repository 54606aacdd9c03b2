"""A line that has a body as Plausible takes it: what Plausible would read in it, and `--site` put into it.

Pure. What the line names beside Plausible's own fields, its format took out: it tells of a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from relay.replay.hit import Hit
from relay.replay.outcomes import Reason, Refusal, invalid
from relay.replay.page import Kept
from relay.replay.who import bare, nobody
from relay.rules.event import Event, Validation, parse_event
from relay.rules.fault import Fault
from relay.rules.item import body_of, members_of


def kept_of(hit: Hit, site: str) -> Kept | Refusal:
    """The event of a ready body; `site` takes the place of the one that it names, unless it is ""."""
    body = _for_site(hit.body or b"", site) if site else hit.body or b""
    if isinstance(body, Refusal):
        return body
    event = parse_event(body, Validation.PLAUSIBLE)
    if not isinstance(event, Event):
        detail = "; ".join(f"{field} {message}" for field, texts in event.errors.items() for message in texts)
        return Refusal(Reason.INVALID, detail)
    ip = bare(hit.ip)
    if refusal := nobody(ip, hit.user_agent):
        return refusal
    revenue = None if event.revenue is None else _revenue(event)
    return Kept(
        hit.at_ms,
        ",".join(event.sites),
        ip,
        hit.user_agent,
        event.name,
        event.url,
        hit.referrer,
        event.props,
        revenue,
        ready=body,
        once=hit.once,
    )


def _revenue(event: Event) -> Mapping[str, Any]:
    assert event.revenue is not None  # noqa: S101 - the caller looked
    return {"amount": event.revenue.amount, "currency": event.revenue.currency}


def _for_site(body: bytes, site: str) -> bytes | Refusal:
    """The body for another site, and else as it was; that it is an object is known of its format."""
    members = members_of(body)
    if isinstance(members, Fault):
        return invalid(members)
    members.pop("d", None)
    return body_of(members | {"domain": orjson.dumps(site)})
