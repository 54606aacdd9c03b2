"""What was kept of a line is admitted to the queue, or refused: time, then all that the door would look at.

Pure: the time is an argument. Plausible books an event when it arrives (contract section 5), so an old line would be
booked on the wrong day.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import orjson

from relay.queue.stored import StoredEvent
from relay.replay.formats.parsing import NO_TIME
from relay.replay.outcomes import Reason, Refusal, invalid
from relay.replay.page import Kept
from relay.rules.admission import Sites, admit
from relay.rules.event import Event, Refused, Validation, parse_event
from relay.rules.fault import Fault
from relay.rules.item import body_of, members_of
from relay.rules.split import bodies_by_site
from relay.rules.url import MAX_URL_BYTES

BODY_LIMIT_BYTES: Final = 1_000_000  # the door's
CLOCK_SKEW_MS: Final = 300_000  # a line may be so far ahead of our clock
ENGAGEMENT: Final = "engagement"


@dataclass(frozen=True, slots=True)
class Terms:
    """Whose events are taken, and how old they may be. `as_now`: old ones too, as if they happened now.

    `day_prop`: the prop that says the day (UTC) on which an event happened.
    """

    sites: Sites
    validation: Validation
    max_age_ms: int
    as_now: bool = False
    day_prop: str | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """The door of a replay."""

    terms: Terms
    _plain: Callable[[str, str, str], Refusal | None] = field(init=False)
    """Whether an event of this name, URL and site, without props and revenue, is refused; logs repeat them."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_plain", lru_cache(maxsize=16_384)(self._judged))

    def admit(self, kept: Kept, now_ms: int) -> list[StoredEvent] | Refusal:
        """One stored event for each site that the event names.

        `occurred_ms` is when it happened, so that RELAY_MAX_AGE_S means that; with `as_now` nothing is said of it.
        """
        if refusal := self._untimely(kept.at_ms, now_ms):
            return refusal
        occurred_ms = None if self.terms.as_now else kept.at_ms
        if kept.ready is None and not kept.props and not kept.revenue and self.terms.day_prop is None:
            refusal = self._plain(kept.name, _for_all_like(kept.url), kept.site)
            return refusal or [
                StoredEvent(kept.site, kept.ip, kept.user_agent, kept.body, now_ms, occurred_ms=occurred_ms)
            ]
        body = kept.body if self.terms.day_prop is None else _with_day(kept, self.terms.day_prop)
        if isinstance(body, Refusal):
            return body
        event = self._event(body)
        if isinstance(event, Refusal):
            return event
        has_revenue, is_engagement = event.revenue is not None, event.name == ENGAGEMENT
        return [
            StoredEvent(site, kept.ip, kept.user_agent, one, now_ms, has_revenue, is_engagement, occurred_ms)
            for site, one in bodies_by_site(event)
            if site in self.terms.sites
        ]

    def _untimely(self, at_ms: int, now_ms: int) -> Refusal | None:
        if self.terms.as_now:
            return None
        if at_ms == NO_TIME:
            return _NO_TIME
        if at_ms < now_ms - self.terms.max_age_ms:
            return _TOO_OLD
        return _IN_FUTURE if at_ms > now_ms + CLOCK_SKEW_MS else None

    def _judged(self, name: str, url: str, site: str) -> Refusal | None:
        event = self._event(Kept(0, site, "", None, name, url).body)
        return event if isinstance(event, Refusal) else None

    def _event(self, body: bytes) -> Event | Refusal:
        if len(body) > BODY_LIMIT_BYTES:
            return Refusal(Reason.INVALID, f"the body has more than {BODY_LIMIT_BYTES:,} bytes")
        event = parse_event(body, self.terms.validation)
        if isinstance(event, Refused):
            return refusal_of(event)
        admitted = admit(event, self.terms.sites, self.terms.validation)
        if isinstance(admitted, Refused):
            return refusal_of(admitted)
        if not admitted.sites:
            return Refusal(Reason.INVALID, f"domain: {admitted.unknown[0]} is not a site of this relay")
        return event


def _for_all_like(url: str) -> str:
    """A URL with which all of this host stand and fall: one of http in plain ASCII is refused for its length only."""
    plain = url.isascii() and len(url) <= MAX_URL_BYTES and url.startswith("http")
    return url[: url.find("/", len("https://")) + 1] or url if plain else url


def refusal_of(refused: Refused) -> Refusal:
    """The door's own words."""
    said = (f"{name}: {message}" for name, messages in refused.errors.items() for message in messages)
    return Refusal(Reason.INVALID, "; ".join(said))


def _with_day(kept: Kept, prop: str) -> bytes | Refusal:
    day = {} if kept.at_ms == NO_TIME else {prop: datetime.fromtimestamp(kept.at_ms / 1_000, UTC).date().isoformat()}
    if kept.ready is None:
        return replace(kept, props={**kept.props, **day}).body
    members = members_of(kept.ready)
    if isinstance(members, Fault):
        return invalid(members)
    for key in ("m", "meta", "p"):
        members.pop(key, None)
    return body_of(members | {"props": orjson.dumps({**kept.props, **day})})


_OLD = "Plausible would book it today: let it be so with --as-now, raise --max-age, or import it as CSV"
_TOO_OLD: Final = Refusal(Reason.TOO_OLD, f"older than --max-age; {_OLD}")
_IN_FUTURE: Final = Refusal(Reason.IN_FUTURE, "its time lies ahead: look at the clocks and the log's time zone")
_NO_TIME: Final = Refusal(Reason.NO_TIME, "its time is missing or cannot be read: --as-now takes it all the same")
