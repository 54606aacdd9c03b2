"""A line that has a body as Plausible takes it: what it names beside Plausible's own fields is taken out of the body.

Pure. `id`, `ip`, `user_agent` and `occurred_at` are the relay's: Plausible ignores them, and they tell of a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from relay.replay.hit import Hit
from relay.replay.outcomes import Reason, Refusal
from relay.replay.page import Kept
from relay.replay.who import bare, nobody
from relay.rules.event import Event, Validation, parse_event

OWN_FIELDS: Final = ("id", "ip", "user_agent", "occurred_at")


def kept_of(hit: Hit, site: str) -> Kept | Refusal:
    """The event of a ready body; `site` takes the place of the one that it names, unless it is ""."""
    body = hit.body or b""
    if site:
        body = _for_site(body, site)
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


def _for_site(body: bytes, site: str) -> bytes:
    fields = orjson.loads(body)  # the format read it before
    fields.pop("d", None)
    return orjson.dumps(fields | {"domain": site})
